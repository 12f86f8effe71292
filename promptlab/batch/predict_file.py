"""A saved predictor over a file, into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.batch.input import BLOCK, open_row_source
from promptlab.batch.output import Format, RowWriter, choose_format
from promptlab.batch.prediction import BatchPrediction
from promptlab.cancellation import Cancellation
from promptlab.data.readers import MAX_CHARS
from promptlab.errors import InputError
from promptlab.predictors.base import Predictor


def predict_file(
    predictor: Predictor,
    source: str | Path,
    out: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    label: str | None = None,
    form: str | None = None,
    block: int = BLOCK,
    max_chars: int = MAX_CHARS,
    safe: bool = False,
    on_progress: Callable[[int, int | None], None] | None = None,
    cancellation: Cancellation | None = None,
) -> dict[str, Any]:
    """Add predictions to the rows of a data file; returns `BatchPrediction.summary` and more.

    ``columns`` and ``label`` as for `BatchPrediction`; ``form`` is csv or jsonl, unless the ending
    of ``out`` says it. ``on_progress(rows, total)`` is called after every block. ``out`` appears
    whole or not at all; once ``cancellation`` is asked for it holds the rows that are finished and
    ``cancelled`` is true in the summary. ``safe`` makes cells of a CSV that a spreadsheet would
    run text, counted as ``made_text``. Raises `InputError` and `WorkError`.
    """
    target = Path(out)
    chosen = read_format(form, target, str(source))
    refuse_same_file(target, str(source))
    started = time.perf_counter()
    with RowWriter(target, chosen, safe=safe) as output:
        records = open_row_source(source, block=block, max_chars=max_chars)
        batch = BatchPrediction(predictor, records, columns=columns, label=label)
        for index, rows in enumerate(batch.blocks(cancellation)):
            if not index:
                output.start(batch.columns, batch.written_columns)
            output.write(rows)
            if on_progress is not None:
                on_progress(batch.rows, batch.total)
        if not batch.rows:
            output.start(batch.columns, batch.written_columns)
        batch.check_answered()
        output.commit()
    return batch.summary() | {
        "cancelled": batch.cancelled,
        "made_text": output.made_text,
        "seconds": round(time.perf_counter() - started, 3),
        "file": str(target),
    }


def write_rows(
    path: str | Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    form: str | None = None,
    safe: bool = False,
) -> int:
    """Write rows as CSV or JSON Lines, whole or not at all; returns how many cells ``safe`` mended.

    ``form`` is csv or jsonl, unless the ending of ``path`` says it. Raises `InputError`,
    `DiskError` and `WorkError`.
    """
    target = Path(path)
    with RowWriter(target, read_format(form, target, str(path)), safe=safe) as output:
        output.start(columns)
        output.write(rows)
        output.commit()
    return output.made_text


def read_format(asked: str | None, out: Path | None, source: str) -> Format:
    """`choose_format` for a format by name. Raises `InputError` for an unknown one."""
    if asked is not None and asked not in list(Format):
        raise InputError(f"the format {asked!r} is unknown; use {' or '.join(Format)}")
    return choose_format(None if asked is None else Format(asked), out, source)


def refuse_same_file(out: Path | None, source: str) -> None:
    """Raise `InputError` if the result would replace what it is made from."""
    given = Path(source)
    if out is not None and out.is_file() and given.is_file() and out.samefile(given):
        raise InputError(f"{out} is the input itself; write to another file")
