"""A saved predictor over records: blocks of finished rows, and what they come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from promptlab.cli.records import Records, examples_of, match_columns
from promptlab.errors import DataError
from promptlab.example import Example
from promptlab.predictions import Prediction, Predictions
from promptlab.predictor import Predictor
from promptlab.readers import Row

PREDICTION, UNPARSED, SCORE, ERROR = "prediction", "unparsed", "score_", "error"


class PredictionRun:
    """Predicts records block by block, in order, and counts as it goes.

    Every row keeps its values and gets ``prediction`` (None where unparsed), ``unparsed``, and
    ``score_<label>``, the label's probability, from predictors that give them; with a remote
    model also ``error``, why its request failed, if it did. Raises `DataError`
    before anything is predicted when a file's columns or rows do not fit the predictor.
    """

    def __init__(
        self,
        predictor: Predictor,
        records: Records,
        *,
        asked: Mapping[str, str] | None = None,
        label: str | None = None,
        predicted: Callable[[Predictions], None] | None = None,
    ) -> None:
        self.predictor = predictor
        self.predicted = predicted
        self.records = records
        self.matched = match_columns(
            records.columns, predictor.fields, source=records.name, asked=asked, label=label
        )
        self.labels: tuple[str, ...] = tuple(getattr(predictor, "labels", ()))
        self.score_columns = [f"{SCORE}{label}" for label in self.labels]
        self.error_columns = [ERROR] if predictor.model.family == "remote" else []
        self._refuse_clash(self.score_columns)
        if records.whole is not None:
            examples_of(records.whole, self.matched)
        self.rows = self.unparsed = self.tokens = self.labelled = self.right = self.failed = 0
        self.first_error: str | None = None
        self.unknown: set[str] = set()

    @property
    def columns(self) -> list[str]:
        """The columns of the result; those of the scores are known after the first block."""
        return [
            *self.records.columns,
            PREDICTION,
            UNPARSED,
            *self.score_columns,
            *self.error_columns,
        ]

    def blocks(self) -> Iterator[list[dict[str, Any]]]:
        """The finished rows of one block after the other."""
        for rows in self.records.blocks:
            examples = examples_of(rows, self.matched)
            found = self.predictor.predict(examples)
            if not self.rows:
                self._name_scores(found)
            self._count(examples, found)
            if self.predicted is not None:
                self.predicted(found)
            yield [
                _finished(row, made, self.score_columns)
                | dict.fromkeys(self.error_columns, made.error)
                for row, made in zip(rows, found, strict=True)
            ]

    def summary(self) -> dict[str, Any]:
        """Counts and, where every label is known to the predictor, accuracy with its interval."""
        summary: dict[str, Any] = {
            "rows": self.rows,
            "unparsed": self.unparsed,
            "failed": self.failed,
            "first_error": self.first_error,
            "tokens": self.tokens,
            "model": self.predictor.model.name,
            "label_column": self.matched.label,
            "accuracy": None,
            "ci95": None,
            "n": self.labelled,
            "unknown_labels": sorted(self.unknown),
        }
        if self.labelled and not self.unknown:
            from promptlab.statistics import wilson_interval

            summary["accuracy"] = self.right / self.labelled
            summary["ci95"] = list(wilson_interval(self.right, self.labelled))
        return summary

    def _name_scores(self, found: Predictions) -> None:
        """Score columns of a predictor that does not say its labels beforehand.

        Open answers have none: every row would have columns of its own.
        """
        if hasattr(self.predictor, "labels") and not self.labels:
            return
        scored = next((row.scores for row in found if row.scores), {})
        self.score_columns = [f"{SCORE}{label}" for label in scored]
        self._refuse_clash(self.score_columns)

    def _refuse_clash(self, scores: list[str]) -> None:
        for name in (PREDICTION, UNPARSED, *scores, *self.error_columns):
            if name in self.records.columns:
                raise DataError(
                    f"{self.records.name} already has a column {name!r}, where the result would "
                    "go; rename it first"
                )

    def _count(self, examples: list[Example], found: Predictions) -> None:
        self.rows += len(found)
        self.unparsed += sum(row.unparsed for row in found)
        self.tokens += found.tokens
        self.failed += len(found.errors)
        self.first_error = self.first_error or next(iter(found.errors), None)
        for example, row in zip(examples, found, strict=True):
            if example.label is None:
                continue
            self.labelled += 1
            self.right += row.correct
            if self.labels and example.label not in self.labels:
                self.unknown.add(example.label)


def _finished(row: Row, made: Prediction, columns: Sequence[str]) -> dict[str, Any]:
    probabilities = {
        f"{SCORE}{label}": float(f"{math.exp(value):.6g}")
        for label, value in (made.scores or {}).items()
        if f"{SCORE}{label}" in columns
    }
    return {
        **row.values,
        PREDICTION: made.label,
        UNPARSED: made.unparsed,
        **probabilities,
    }
