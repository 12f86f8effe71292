"""Rows that a quotation mark which is never closed has drawn into one field."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from promptlab.errors import DataError

_LEAST_LINES = 2


def refuse_unclosed_quotes(
    path: Path, records: Sequence[tuple[int, Sequence[str]]], columns: Sequence[str], mark: str
) -> None:
    """Raise `DataError` where lines inside a quoted field look like rows of their own.

    They do when they have all columns, and in a column of few values one of those values.
    """
    broken = [
        (line, cell)
        for line, cells in records
        for cell in cells
        if cell.count("\n") >= _LEAST_LINES
    ]
    if not broken or len(columns) < 2:
        return
    known = _few_values([cells for _, cells in records], len(columns))
    for line, cell in broken:
        inner = [part for part in cell.splitlines()[1:-1] if part.strip()]
        rows = [part for part in inner if _is_row(part, mark, len(columns), known)]
        if len(rows) >= _LEAST_LINES and 2 * len(rows) > len(inner):
            raise DataError(
                f"{path}, line {line}: one quoted field runs over {cell.count(chr(10)) + 1} lines, "
                f"{len(rows)} of which look like rows of their own ({rows[0][:60]!r}); close the "
                "quotation mark, or read quotes as plain characters (quotes: false)"
            )


def _few_values(records: Sequence[Sequence[str]], width: int) -> dict[int, set[str]]:
    """The values of every column that has few different ones, by its number."""
    found = {}
    for index in range(width):
        values = [cells[index].strip() for cells in records]
        if 2 * len(set(values)) <= len(values):
            found[index] = set(values) - {""}
    return found


def _is_row(line: str, mark: str, width: int, known: dict[int, set[str]]) -> bool:
    cells = next(csv.reader([line], delimiter=mark, quoting=csv.QUOTE_NONE), [])
    return len(cells) == width and any(
        cells[index].strip() in values for index, values in known.items()
    )
