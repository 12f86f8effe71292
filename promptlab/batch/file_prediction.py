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
    """Add predictions to the rows of a data file, into another file that appears whole or not.

    Args:
        predictor: A fitted predictor.
        source: A CSV, TSV, JSON Lines, JSON, Parquet or Arrow file.
        out: The file to write.
        columns: The column of a field, where its name does not tell.
        label: The column with true labels, ``""`` for none.
        form: *csv* or *jsonl*, unless the ending of ``out`` says it.
        block: Rows that are predicted at once.
        max_chars: A longer cell is refused.
        safe: Make cells of a CSV that a spreadsheet would run text.
        on_progress: Called after every block with the rows done and the total, if known.
        cancellation: Once it is asked for, ``out`` holds the rows that are finished.

    Returns:
        `BatchPrediction.summary`, with ``cancelled``, ``made_text`` (cells that ``safe`` changed),
        ``seconds`` and ``file``.

    Raises:
        InputError: When the file's columns or rows do not fit the predictor.
        WorkError: When no row could be answered, or nothing can be written.

    Example:
        >>> _ = open("new.csv", "w").write("text\\na fine film\\na dull plot\\n")
        >>> answers = {"negative": "bad", "positive": "good"}
        >>> predictor = pl.PromptClassifier("{text} It was {mask}.", answers, model)
        >>> summary = pl.batch.predict_file(predictor, "new.csv", "predicted.csv")
        >>> summary["rows"], summary["unparsed"]
        (2, 0)
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
    """Write rows as CSV or JSON Lines, whole or not at all.

    Args:
        path: The file to write.
        columns: Its columns, in order.
        rows: The rows, by column.
        form: *csv* or *jsonl*, unless the ending of ``path`` says it.
        safe: Make cells of a CSV that a spreadsheet would run text.

    Returns:
        How many cells ``safe`` changed.

    Raises:
        InputError: For an unknown format.
        DiskError: When the disk is full or the folder cannot be written.

    Example:
        >>> pl.batch.write_rows("rows.csv", ["text"], [{"text": "=1+1"}], safe=True)
        1
        >>> open("rows.csv").read()
        "text\\n'=1+1\\n"
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
