"""The rows to predict: from a file that is checked whole, or from standard input as they come."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from promptlab.data.columns import Columns, add_nested_columns
from promptlab.data.example import Example
from promptlab.data.readers import (
    MAX_CHARS,
    FileFormat,
    Row,
    Rows,
    check_lengths,
    read_rows,
    text_of,
)
from promptlab.data.readers.column_names import LABEL_NAMES, TEXT_NAMES
from promptlab.data.readers.json_files import _json_rows, _parse_json
from promptlab.errors import DataError

BLOCK = 64
"""Rows predicted at a time unless told otherwise."""
STANDARD_INPUT = Path("standard input")
GIVEN = Path("the rows")
_NO_TEXT = "write some, or remove the row"


@dataclass(frozen=True)
class RowSource:
    """Rows in blocks; ``columns`` are those of all rows, for standard input of the first block.

    ``whole`` holds all rows of a file.
    """

    name: str
    columns: tuple[str, ...]
    blocks: Iterator[Rows]
    whole: Rows | None = None


def open_row_source(
    source: str | Path, *, block: int, max_chars: int = MAX_CHARS, form: FileFormat | None = None
) -> RowSource:
    """Open a data file, or for ``-`` JSON Lines on standard input.

    A file is read and checked whole, so that its last line cannot spoil the work of hours;
    standard input is read a block at a time. ``form`` says how the file is written. Raises
    `DataError` naming the line.
    """
    if source != "-":
        return row_source(read_rows(source, max_chars=max_chars, form=form), block)
    blocks = _read_lines(sys.stdin.buffer, block, max_chars)
    first = next(blocks, None)
    if first is None:
        raise DataError(
            f"{STANDARD_INPUT} holds no rows; pipe in JSON objects, one a line, such as "
            '{"text": "..."}'
        )
    return RowSource(str(STANDARD_INPUT), first.columns, chain([first], blocks))


def rows_from_values(given: Sequence[Mapping[str, Any]], block: int = BLOCK) -> RowSource:
    """Rows that a program gives, checked like those of a file. Raises `DataError`."""
    rows = dataclasses.replace(_json_rows(GIVEN, list(enumerate(given, start=1))), unit="row")
    if not rows.rows:
        raise DataError('there are no rows; give some, such as [{"text": "..."}]')
    check_lengths(rows, MAX_CHARS)
    return row_source(rows, block)


def row_source(rows: Rows, block: int) -> RowSource:
    """Rows that have been read, ``block`` of them at a time."""
    return RowSource(str(rows.path), rows.columns, _blocks_of(rows, block), rows)


def _blocks_of(rows: Rows, size: int) -> Iterator[Rows]:
    for start in range(0, len(rows), size):
        yield dataclasses.replace(rows, rows=rows.rows[start : start + size])


def _read_lines(stream: Iterable[bytes], size: int, max_chars: int) -> Iterator[Rows]:
    """Blocks of ``size`` objects; blank lines are skipped but counted."""
    found: list[tuple[int, Any]] = []
    for number, raw in enumerate(stream, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{STANDARD_INPUT}, line {number}, byte {error.start + 1}: not UTF-8; convert it "
                "with iconv"
            ) from error
        if not line.strip():
            continue
        form = "Each line must be one whole JSON object"
        found.append((number, _parse_json(STANDARD_INPUT, number, line.strip(), form)))
        if len(found) == size:
            yield _block(found, max_chars)
            found = []
    if found:
        yield _block(found, max_chars)


def _block(found: Sequence[tuple[int, Any]], max_chars: int) -> Rows:
    rows = _json_rows(STANDARD_INPUT, found)
    check_lengths(rows, max_chars)
    return rows


def with_nested(records: RowSource, names: Iterable[str | None]) -> RowSource:
    """The records with a column for each of ``names`` that is a path into nested values."""
    wanted = [name for name in names if name and name not in records.columns and "." in name]
    wanted = [name for name in wanted if name.split(".")[0] in records.columns]
    if not wanted:
        return records
    return dataclasses.replace(
        records,
        columns=(*records.columns, *dict.fromkeys(wanted)),
        blocks=(add_nested_columns(rows, wanted) for rows in records.blocks),
        whole=None if records.whole is None else add_nested_columns(records.whole, wanted),
    )


def match_columns(
    columns: Sequence[str],
    fields: Sequence[str],
    *,
    source: str,
    asked: Mapping[str, str] | None = None,
    label: str | None = None,
) -> Columns:
    """Which column is which of a predictor's ``fields``, and which is the label, if any.

    ``asked`` names the column of a field and ``label`` the label's. Otherwise a field is the
    column of its name (case aside), or, when one field is left, the only column with a usual
    name for a text, or the only column left. The label is the column called label, else the only
    one out of `LABEL_NAMES`; ``""`` says that there is none. Raises `DataError` with the names of
    the columns.
    """
    asked = asked or {}
    for field in asked:
        if field not in fields:
            raise DataError(f"no field {field!r}: the predictor reads {_list(fields)}")
    for name in (*asked.values(), *([label] if label else [])):
        if name not in columns:
            raise DataError(f"{source} has no column {name!r}; its columns are {_list(columns)}")
    chosen, label = guess_columns(columns, fields, asked=asked, label=label)
    for field, column in chosen.items():
        if column is None:
            raise DataError(
                f"{source} has no column {field!r}, which the predictor reads; its columns are "
                f"{_list(columns)}. Name the one to read (--column {field}=COLUMN)"
            )
    named = {column: field for field, column in chosen.items() if column is not None}
    if len(named) < len(fields):
        raise DataError(f"{source}: every field needs a column of its own; found {_list(named)}")
    return Columns(named, label)


def guess_columns(
    columns: Sequence[str],
    fields: Sequence[str],
    *,
    asked: Mapping[str, str] | None = None,
    label: str | None = None,
) -> tuple[dict[str, str | None], str | None]:
    """Guess by their names which columns hold a predictor's fields and the true label.

    Args:
        columns: The columns of a file.
        fields: The fields that a predictor reads.
        asked: Columns of fields that are known, taken as they are.
        label: The column with true labels if it is known, ``""`` for none.

    Returns:
        The column of each field, None where the names do not tell, and the label's, if any.

    Example:
        >>> pl.batch.guess_columns(["id", "review", "label"], ["text"])
        ({'text': 'review'}, 'label')
    """
    asked = asked or {}
    chosen = {field: asked.get(field) or _named(field, columns) for field in fields}
    left = [c for c in columns if c not in chosen.values()]
    label = (_label(left) if label is None else label) or None
    for field in [field for field, column in chosen.items() if column is None]:
        chosen[field] = _guessed([c for c in left if c != label], list(chosen.values()))
    return chosen, label


def examples_of(rows: Rows, columns: Columns) -> list[Example]:
    """Examples named by their line, with the label of those that have one. Raises `DataError`."""
    if not columns.fields:  # the prompt is the same for every row
        return [Example(str(row.line), {}, _label_of(row, columns.label)) for row in rows]
    return [
        Example(str(row.line), example.fields, _label_of(row, columns.label))
        for row, example in zip(
            rows, Columns(columns.fields).to_examples(rows, mend=_NO_TEXT), strict=True
        )
    ]


def _label_of(row: Row, column: str | None) -> str | None:
    return None if column is None else text_of(row.values.get(column)).strip() or None


def _named(field: str, columns: Sequence[str]) -> str | None:
    if field in columns:
        return field
    same = [c for c in columns if c.strip().lower() == field.lower()]
    return same[0] if len(same) == 1 else None


def _guessed(left: Sequence[str], others: Sequence[str | None]) -> str | None:
    """A column for the one field that is still without."""
    if sum(other is None for other in others) > 1:
        return None
    usual = [c for c in left if c.strip().lower() in TEXT_NAMES]
    if len(usual) == 1:
        return usual[0]
    return left[0] if len(left) == 1 else None


def _label(left: Sequence[str]) -> str | None:
    known = [c for c in left if c.strip().lower() in LABEL_NAMES]
    exact = [c for c in known if c.strip().lower() == "label"]
    return (exact or known)[0] if len(exact or known) == 1 else None


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
