"""Records of a data file, each with the place it stands at."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, overload

from promptlab.errors import DataError


@dataclass(frozen=True)
class Row:
    """One record: the line (or row) number it starts on, from 1, and its values by column."""

    line: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Rows(Sequence[Row]):
    """All records of one file; ``unit`` is what `Row.line` counts, "line" or "row".

    ``remarks`` say what was left out or looks wrong, a sentence each.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    unit: str = "line"
    remarks: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def texts(self, column: str) -> list[str]:
        """The values of one column as text (`text_of`), stripped; ``""`` where a row has none."""
        found = []
        for row in self.rows:
            value = row.values.get(column)
            found.append((value if type(value) is str else text_of(value)).strip())
        return found

    def place(self, row: Row) -> str:
        """Where a row stands, for messages: ``"reviews.csv, line 7"``."""
        return f"{self.path}, {self.unit} {row.line}"

    def places(self) -> list[str]:
        """`place` of every row."""
        return [f"{self.path}, {self.unit} {row.line}" for row in self.rows]


def text_of(value: Any) -> str:
    """A value as text: ``""`` for a missing one, ``"true"``, ``"3"`` for 3.0, JSON for a list."""
    if value is None or (isinstance(value, float | Decimal) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else format(value.normalize(), "f")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def check_columns(path: Path, columns: Sequence[str], place: str) -> None:
    """Raise `DataError` when a column stands twice or none has a name."""
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}{place}: the column {', '.join(map(repr, twice))} stands more than once; "
            "every column needs a name of its own"
        )
    if not any(columns):
        raise DataError(f"{path}{place}: no column has a name; the first line must name them")
