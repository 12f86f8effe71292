"""A saved prompt over an uploaded file: looked at, matched, predicted, written for downloading."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import promptlab as pl
from promptlab.batch import BatchPrediction, guess_columns, write_rows
from promptlab.data import read_rows

from ..context import AppContext
from .saved_predictors import open_saved

MOST_ROWS = 50_000
"""More rows are for the command line."""
BLOCK = 32
NO_LABEL = "(none)"
SHOWN = 12
"""Rows that are looked at on the page."""


@dataclass
class UploadedRows:
    """An uploaded file's columns and first rows, and which column is which of ``fields``."""

    columns: tuple[str, ...]
    count: int
    first: list[Mapping[str, Any]]
    fields: dict[str, str | None]
    label: str | None


@dataclass
class BatchOutcome:
    """How far a prediction is; once it is ``done``, also its summary and the files."""

    rows: int
    total: int
    seconds: float
    first: list[dict[str, Any]]
    predicted: Counter[str]
    done: bool = False
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    made_text: int = 0


def match_upload(path: str, fields: tuple[str, ...]) -> UploadedRows:
    """Read an uploaded file and guess its columns. Raises `InputError` that names the line."""
    rows = read_upload(path)
    chosen, label = guess_columns(rows.columns, fields)
    return UploadedRows(rows.columns, len(rows), [row.values for row in rows[:5]], chosen, label)


def read_upload(path: str) -> Any:
    """The rows of an uploaded file; errors call it by its own name alone."""
    own = Path(path)
    try:
        rows = read_rows(own)
    except pl.InputError as problem:
        raise pl.InputError(str(problem).replace(str(own), own.name)) from problem
    if len(rows) > MOST_ROWS:
        raise pl.InputError(
            f"{own.name} has {len(rows):,} rows, and this page takes {MOST_ROWS:,}; the command "
            "line takes any number: promptlab predict runs/STUDY/best FILE --out RESULT"
        )
    return rows


def predict_upload(
    context: AppContext,
    study: str,
    path: str,
    columns: Mapping[str, str],
    label: str | None,
    cancellation: pl.Cancellation | None = None,
) -> Iterator[BatchOutcome]:
    """Predict an uploaded file; an outcome after every block, the last one with the files.

    ``label`` is a column with true labels, None to guess, ``""`` for none. When cancelled, the
    rows that are finished are written. Raises `InputError` and `WorkError`.
    """
    own = Path(path)
    predictor = open_saved(context, study)
    try:
        batch = BatchPrediction(predictor, own, columns=columns, label=label, block=BLOCK)
    except pl.InputError as problem:
        raise pl.InputError(str(problem).replace(str(own), own.name)) from problem
    total, started = batch.total or 0, time.perf_counter()
    made: list[dict[str, Any]] = []
    predicted: Counter[str] = Counter()
    for rows in batch.blocks(cancellation):
        made += rows
        predicted.update(str(row["prediction"]) for row in rows if row["prediction"] is not None)
        seconds = time.perf_counter() - started
        yield BatchOutcome(len(made), total, seconds, made[:SHOWN], predicted)
    batch.check_answered()
    outcome = BatchOutcome(len(made), total, time.perf_counter() - started, made[:SHOWN], predicted)
    outcome.done = True
    outcome.summary = batch.summary() | {
        "cancelled": batch.cancelled,
        "fields": list(batch.matched.fields),
    }
    for form in ("csv", "jsonl"):
        target = context.download_path(f"{own.stem}-predicted.{form}")
        cells = write_rows(target, batch.columns, made, safe=form == "csv")
        outcome.files[form] = target
        outcome.made_text += cells
    yield outcome
