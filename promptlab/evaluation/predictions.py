"""Predictions: the table that metrics, statistics, failures, ensembles and reports read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from promptlab.errors import DataError
from promptlab.files.cache import atomic_write
from promptlab.files.text_file import read_text_file
from promptlab.security.html import html_facts, html_table
from promptlab.security.untrusted_text import json_lines

_SHOWN = 20
"""Rows of a table that a notebook shows."""


@dataclass(frozen=True)
class Prediction:
    """What one predictor said about one example.

    Args:
        example_id: The example's id.
        label: The predicted class or the parsed reply; ``None`` when the reply was ``unparsed``.
        target: The true label or reference, if it is known.
        scores: Log-probabilities of the labels in nats, normalised over them.
        text: The reply, where one was generated.
        unparsed: Whether no answer could be read in the reply.
        tokens_in: Prompt tokens.
        tokens_out: Answer tokens.
        seconds: This example's share of the wall time.
        trace: Whatever a strategy wants kept (JSON data; a `Trace` under ``steps``).
        error: Why an example has no answer at all, such as an endpoint that did not answer; such
            a row is missing: it is neither right nor wrong.

    Example:
        >>> Prediction("1", "positive", target="positive").correct
        True
    """

    example_id: str
    label: str | None
    target: str | None = None
    scores: dict[str, float] | None = None
    text: str | None = None
    unparsed: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    trace: Any = None
    error: str | None = None

    def _repr_html_(self) -> str:
        kept = {name: value for name, value in vars(self).items() if value not in (None, "", False)}
        return html_facts("Prediction", kept)

    @property
    def correct(self) -> bool:
        """Whether the prediction equals the target; an unparsed reply is never correct."""
        return not self.unparsed and self.label is not None and self.label == self.target

    @property
    def missing(self) -> bool:
        """Whether there is no answer at all, so that nothing is known of this example."""
        return self.error is not None


class Predictions(Sequence[Prediction]):
    """An ordered table of `Prediction` rows, one an example.

    Args:
        rows: The rows.

    Example:
        >>> rows = Predictions([Prediction("1", "yes", "yes"), Prediction("2", "yes", "no")])
        >>> rows.correct
        [True, False]
        >>> [row.example_id for row in rows.failures()]
        ['2']
    """

    def __init__(self, rows: Iterable[Prediction] = ()) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self._rows[index])
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._rows)

    def __add__(self, other: Predictions) -> Predictions:
        return Predictions((*self._rows, *other._rows))

    def __repr__(self) -> str:
        return f"Predictions({len(self)} rows, {self.tokens} tokens, {self.seconds:.2f} s)"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """The labels as a NumPy array of texts, empty where there is none: scikit-learn's form."""
        import numpy as np

        return np.array([row.label or "" for row in self._rows], dtype=dtype or str)

    def _repr_html_(self) -> str:
        rows = [
            (row.example_id, "(unparsed)" if row.unparsed else row.error or row.label, row.target)
            for row in self._rows[:_SHOWN]
        ]
        shown = f" (the first {_SHOWN})" if len(self) > _SHOWN else ""
        return html_table(f"{self!r}{shown}", ("example", "predicted", "target"), rows)

    @property
    def labels(self) -> list[str | None]:
        """Predicted labels in order (``None`` where unparsed)."""
        return [row.label for row in self._rows]

    @property
    def targets(self) -> list[str | None]:
        """True labels in order."""
        return [row.target for row in self._rows]

    @cached_property
    def correct(self) -> list[bool]:
        """Row by row, whether the prediction is right."""
        return [row.correct for row in self._rows]

    @cached_property
    def answered(self) -> Predictions:
        """The rows that have an answer; figures and tests are over them alone."""
        return self if not self.n_missing else Predictions(r for r in self._rows if not r.missing)

    @cached_property
    def n_missing(self) -> int:
        """How many examples have no answer."""
        return sum(row.missing for row in self._rows)

    @property
    def unparsed_rate(self) -> float:
        """Share of the answered rows whose reply could not be parsed, in [0, 1]."""
        rows = self.answered
        return sum(row.unparsed for row in rows) / len(rows) if rows else 0.0

    @property
    def errors(self) -> list[str]:
        """Why examples have no answer, one text for each that failed."""
        return [row.error for row in self._rows if row.error is not None]

    @property
    def tokens(self) -> int:
        """Prompt and answer tokens of all rows."""
        return sum(row.tokens_in + row.tokens_out for row in self._rows)

    @property
    def tokens_per_example(self) -> float:
        """Mean prompt and answer tokens of the answered rows, 0 without any."""
        rows = self.answered
        return rows.tokens / len(rows) if rows else 0.0

    @property
    def seconds(self) -> float:
        """Wall time of all rows, in seconds."""
        return sum(row.seconds for row in self._rows)

    def failures(self) -> Predictions:
        """The answered rows whose target is known and whose prediction is wrong."""
        return Predictions(
            r for r in self._rows if r.target is not None and not r.missing and not r.correct
        )

    def with_answers(self, found: Predictions) -> Predictions:
        """The same rows, those of the examples in ``found`` replaced by what stands there."""
        new = {row.example_id: row for row in found}
        return Predictions(new.get(row.example_id, row) for row in self._rows)

    def to_text(self) -> str:
        """One JSON object a line."""
        return json_lines(map(vars, self._rows))

    def to_jsonl(self, path: str | Path) -> None:
        """Write one JSON object a line; the file appears whole or not at all."""
        with atomic_write(Path(path)) as partial:
            partial.write_text(self.to_text(), encoding="utf-8", newline="\n")

    @classmethod
    def from_jsonl(cls, path: str | Path) -> Predictions:
        """Read what `to_jsonl` wrote. Raises `DataError` naming the line of anything else."""
        path = Path(path)
        text = read_text_file(path, "bring a copy of it back", fault=DataError)
        return cls(
            _read_row(line, f"{path}, line {number}")
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        )


def _read_row(line: str, place: str) -> Prediction:
    """The row of a line. Raises `DataError` unless it is one that `to_jsonl` writes."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: no JSON object, so the file is damaged ({error})") from error
    if not isinstance(record, dict) or "example_id" not in record:
        raise DataError(f"{place}: no prediction, so the file is damaged: {line:.60}")
    for key, value in record.items():
        if key not in _TYPES or not _TYPES[key](value):
            raise DataError(
                f"{place}: {key} is {value!r:.60}, which no prediction has; the file is damaged"
            )
    return Prediction(**record)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_scores(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(map(_is_number, value.values())))


_TYPES: dict[str, Callable[[Any], bool]] = {
    "example_id": lambda value: isinstance(value, str),
    "label": _is_text,
    "target": _is_text,
    "scores": _are_scores,
    "text": _is_text,
    "unparsed": lambda value: isinstance(value, bool),
    "tokens_in": _is_count,
    "tokens_out": _is_count,
    "seconds": lambda value: _is_number(value) and value >= 0,
    "trace": lambda value: True,
    "error": _is_text,
}
"""What the values of a row are; ``trace`` is whatever a strategy keeps."""


def answered_by_both(a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
    """The rows of the examples that two tables have both answered, in the order of ``a``."""
    if not a.n_missing and not b.n_missing and len(a) == len(b):
        same = [x.example_id == y.example_id for x, y in zip(a, b, strict=True)]
        if all(same):
            return a, b
    known = {row.example_id: row for row in b.answered}
    common = [row for row in a.answered if row.example_id in known]
    return Predictions(common), Predictions(known[row.example_id] for row in common)
