"""Which character stands between the fields of a delimited file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import DataError

DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""The delimiters that are looked for, the likelier first."""
_SAMPLE = 1 << 16


def find_delimiter(path: Path, text: str, quoting: Any = csv.QUOTE_MINIMAL) -> str:
    """The one of `DELIMITER_NAMES` by which all records have as many fields as the header.

    Where several do, those that leave no other one inside a column's name go first; where none
    does, the one that most records agree on, and the comma where the header has none of them.
    Raises `DataError` naming the key that says it when two fit equally well.
    """
    found = {mark: _records(text, mark, quoting) for mark in DELIMITER_NAMES}
    shares = {
        mark: _fitting(records)
        for mark, records in found.items()
        if records and len(records[0]) > 1
    }
    if not shares:
        return ","
    fitting = [mark for mark, share in shares.items() if share == 1]
    if len(fitting) > 1:
        clean = [
            mark
            for mark in fitting
            if not any(other in name for name in found[mark][0] for other in fitting)
        ]
        if len(clean) != 1:
            told = " or ".join(
                f"{DELIMITER_NAMES[mark]} ({', '.join(map(repr, found[mark][0]))})"
                for mark in fitting
            )
            raise DataError(
                f"{path}: its columns may be divided by {told}; say which (delimiter: "
                f'"{fitting[0]}")'
            )
        return clean[0]
    return fitting[0] if fitting else max(shares, key=lambda mark: shares[mark])


def _records(text: str, mark: str, quoting: Any) -> list[list[str]]:
    """The records at the beginning of ``text`` that hold anything."""
    sample = text[:_SAMPLE]
    reader = csv.reader(
        io.StringIO(sample, newline=""), delimiter=mark, quoting=quoting, skipinitialspace=True
    )
    found = [record for record in reader if any(cell.strip() for cell in record)]
    return found[:-1] if len(text) > _SAMPLE and len(found) > 2 else found


def _fitting(records: Sequence[Sequence[str]]) -> float:
    """The share of records that have as many fields as the first one, empty ones behind aside."""
    width = len(records[0])
    fits = sum(
        len(record) == width or (len(record) > width and not any(record[width:]))
        for record in records
    )
    return fits / len(records)
