"""Whether the first line of a delimited file names its columns, or is a row already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from promptlab.data.readers.column_names import is_usual
from promptlab.errors import DataError

_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_LEAST_WORDS = 4


def refuse_data_as_header(
    path: Path, line: int, columns: Sequence[str], body: Sequence[Sequence[str]]
) -> None:
    """Raise `DataError` if what should name the columns reads like the first row.

    That is where no name is a usual one and one of them is a number (but for numbers in a row,
    pandas' own names), or stands among the values of its column, or is the sentence at the
    head of a single column.
    """
    if any(is_usual(name) for name in columns):
        return
    reason = _reason(columns, body)
    if reason is not None:
        raise DataError(
            f"{path}, line {line}: the first line reads like a row, not like the names of columns "
            f"({reason}). If it is a row: header: false (the columns are then called 1, 2, …); if "
            "it names the columns: header: true"
        )


def _reason(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str | None:
    numbers = [name for name in columns if _NUMBER.fullmatch(name)]
    if numbers and not _is_sequence([name for name in columns if name]):
        return f"{numbers[0]!r} is a number"
    for index, name in enumerate(columns):
        values = [cells[index].strip() for cells in body]
        if name and name in values:
            return f"{name!r} is a value of column {index + 1}"
    if len(columns) == 1 and len(columns[0].split()) >= _LEAST_WORDS:
        return f"{columns[0][:60]!r} is a sentence"
    return None


def _is_sequence(names: Sequence[str]) -> bool:
    """Whether the names are whole numbers, each one more than the one before."""
    if not all(name.isdecimal() for name in names):
        return False
    numbers = [int(name) for name in names]
    return all(b - a == 1 for a, b in pairwise(numbers))
