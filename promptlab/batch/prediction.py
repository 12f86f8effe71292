"""A predictor over rows: blocks of finished rows, and what they come to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from promptlab.batch.input import (
    BLOCK,
    RowSource,
    examples_of,
    match_columns,
    open_row_source,
    rows_from_values,
    with_nested,
)
from promptlab.cancellation import Cancellation
from promptlab.data.columns import Columns
from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.label_column import match_label
from promptlab.data.readers import Row
from promptlab.errors import Cancelled, DataError, WorkError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.reply_counts import count_replies
from promptlab.evaluation.truncation_count import TruncationCount, count_truncations
from promptlab.predictors.base import Predictor

PREDICTION, UNPARSED, SCORE, ERROR = "prediction", "unparsed", "score_", "error"
_MOST_LABELS = 50
"""With more of them a confusion table is not made."""


class BatchPrediction:
    """Predicts rows block by block, in order, and counts as it goes.

    Every row keeps its values and gets ``prediction`` (None where unparsed), ``unparsed``, and
    ``score_<label>``, the label's probability, from predictors that give them; with a remote model
    also ``error``, why its request failed, if it did. ``last`` are the newest block's
    `Predictions`.

    Args:
        predictor: A fitted predictor.
        source: A data file, or rows as mappings.
        columns: The column of a field, where its name does not tell (see `guess_columns`); a
            predictor that a study chose knows the study's columns.
        label: The column with true labels, ``""`` for none.
        block: Rows that are predicted at once.

    Raises:
        DataError: Before anything is predicted, when columns or rows do not fit the predictor.

    Example:
        >>> answers = {"negative": "bad", "positive": "good"}
        >>> predictor = pl.PromptClassifier("{text} It was {mask}.", answers, model)
        >>> batch = pl.batch.BatchPrediction(predictor, [{"text": "a fine film"}])
        >>> [row["unparsed"] for block in batch.blocks() for row in block]
        [False]
        >>> batch.rows
        1
    """

    def __init__(
        self,
        predictor: Predictor,
        source: str | Path | Sequence[Mapping[str, Any]] | RowSource,
        *,
        columns: Mapping[str, str] | None = None,
        label: str | None = None,
        block: int = BLOCK,
    ) -> None:
        if isinstance(source, str | Path):
            source = open_row_source(source, block=block)
        elif not isinstance(source, RowSource):
            source = rows_from_values(source, block)
        self.predictor = predictor
        self.records, self.matched = match_records(
            source, predictor.fields, predictor.read_as, columns=columns, label=label
        )
        self._renamed = (predictor.read_as or Columns({})).renamed
        source = self.records
        self.labels: tuple[str, ...] = tuple(getattr(predictor, "labels", ()))
        self.score_columns = [f"{SCORE}{label}" for label in self.labels]
        self.error_columns = [ERROR] if predictor.model.family == "remote" else []
        self._refuse_clash(self.score_columns)
        if source.whole is not None:
            examples_of(source.whole, self.matched)
        self.rows = self.unparsed = self.tokens = self.labelled = self.failed = 0
        self.seen = self.seen_right = 0
        self._right: dict[bytes, list[int]] = {}
        self._missing = 0
        self.cuts = TruncationCount()
        self.cancelled = False
        self.last = Predictions()
        self.first_error: str | None = None
        self.replies: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self._pairs: Counter[tuple[str, str | None]] = Counter()

    @property
    def total(self) -> int | None:
        """How many rows there are; None while that is not known."""
        return None if self.records.whole is None else len(self.records.whole)

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

    @property
    def written_columns(self) -> list[str]:
        """Those that hold a model's or an endpoint's own words."""
        return [*([] if self.labels else [PREDICTION]), *self.error_columns]

    def blocks(self, cancellation: Cancellation | None = None) -> Iterator[list[dict[str, Any]]]:
        """The finished rows of one block after the other, until ``cancellation`` is asked for."""
        for rows in self.records.blocks:
            examples = [self._named(e) for e in examples_of(rows, self.matched)]
            try:
                found = self._predicted(examples, cancellation)
            except Cancelled:
                self.cancelled = True
                return
            if not self.rows:
                self._name_scores(found)
            self._count(examples, found)
            self.last = found
            yield [
                _finished(row, made, self.score_columns)
                | dict.fromkeys(self.error_columns, made.error)
                for row, made in zip(rows, found, strict=True)
            ]

    def check_answered(self) -> None:
        """Raise `WorkError` with the first reason if every row's request failed."""
        if self.rows and self.failed == self.rows:
            raise WorkError(f"all {self.rows:,} examples failed: {self.first_error}")

    def summary(self) -> dict[str, Any]:
        """Counts and, where every label is known to the predictor, how good it is.

        Rows whose text the predictor was fitted on or chosen by are no test of it: they are the
        ``n_seen`` rows with ``accuracy_seen``, and left out of all that follows.
        That is ``accuracy`` with ``ci95``, its 95 % interval, and ``confusion``: how many ``rows``
        with a ``label`` got a ``prediction`` (None where unparsed). ``n`` of them were answered,
        ``n_missing`` were not and are in none of these; ``n_distinct`` counts the different texts,
        of which the interval counts each once.
        """
        summary: dict[str, Any] = {
            "rows": self.rows,
            "unparsed": self.unparsed,
            "failed": self.failed,
            "cut": self.cuts.record(),
            "replies": dict(self.replies),
            "first_error": self.first_error,
            "tokens": self.tokens,
            "model": self.predictor.model.name,
            "label_column": self.matched.label,
            "accuracy": None,
            "ci95": None,
            "n": self.labelled,
            "n_missing": self._missing,
            "n_distinct": len(self._right),
            "n_seen": self.seen,
            "accuracy_seen": self.seen_right / self.seen if self.seen else None,
            "confusion": [],
            "unknown_labels": sorted(self.unknown),
        }
        if self.labelled and not self.unknown:
            from promptlab.evaluation.distinct_texts import clustered_interval

            right = sum(count for count, _ in self._right.values())
            summary["accuracy"] = right / self.labelled
            summary["ci95"] = list(clustered_interval(list(self._right.values())))
            if self.labels and len(self.labels) <= _MOST_LABELS:
                summary["confusion"] = [
                    {"label": label, "prediction": made, "rows": count}
                    for (label, made), count in self._pairs.items()
                ]
        return summary

    def _named(self, example: Example) -> Example:
        """The example with its label under the name that the predictor has for it."""
        if example.label is None:
            return example
        label = self._renamed.get(example.label, example.label)
        named = None if label is None else match_label(label, self.labels)
        return example if named == example.label else replace(example, label=named)

    def _predicted(self, examples: list[Example], cancellation: Cancellation | None) -> Predictions:
        """One block; waits first while the work is paused. Raises `Cancelled`."""
        if cancellation is None:
            return self.predictor.predict(examples)
        cancellation.check()
        with cancellation.in_force():
            return self.predictor.predict(examples)

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
        self.unparsed += sum(row.unparsed and not row.missing for row in found)
        self.tokens += found.tokens
        self.failed += len(found.errors)
        self.replies += count_replies(found)
        self.cuts += count_truncations(found)
        self.first_error = self.first_error or next(iter(found.errors), None)
        for example, row in zip(examples, found, strict=True):
            if example.label is None:
                continue
            if row.missing:
                self._missing += 1
                continue
            possible = self.predictor.possible_labels
            known = not possible or example.label in possible
            if not known:
                self.unknown.add(example.label)
            if self.predictor.seen.has(example, self.predictor.fields):
                self.seen += 1
                self.seen_right += row.correct
                continue
            self.labelled += 1
            text = blake2b(text_key(example).encode(), digest_size=16).digest()
            counts = self._right.setdefault(text, [0, 0])
            counts[0] += row.correct
            counts[1] += 1
            if known:
                self._pairs[example.label, row.label] += 1


def match_records(
    source: RowSource,
    fields: Sequence[str],
    read_as: Columns | None,
    *,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
) -> tuple[RowSource, Columns]:
    """Which columns of ``source`` are a predictor's fields and its label.

    Args:
        source: The rows.
        fields: The fields that the predictor reads.
        read_as: The columns of the file whose examples it was chosen by.
        columns: The column of a field where its name does not tell.
        label: The column with true labels.

    Returns:
        The rows, with a column for each path into nested values that is asked for, and what each
        column is.

    Raises:
        DataError: When a field has no column.
    """
    known = read_as or Columns({})
    source = with_nested(source, [*(columns or {}).values(), *known.fields, known.label, label])
    named = {name: column for column, name in known.fields.items() if column in source.columns}
    named = {name: column for name, column in named.items() if name in fields}
    if label is None and known.label in source.columns:
        label = known.label
    asked = {**named, **(columns or {})}
    return source, match_columns(
        source.columns, fields, source=source.name, asked=asked, label=label
    )


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
