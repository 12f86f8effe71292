"""Reading data files, with errors that name the line.

Every reader gives `Rows`: column names and one `Row` a record, with the line it starts on (for
Parquet and Arrow, which have no lines, the row's number).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from promptlab.errors import DataError
from promptlab.readers.arrow import read_arrow
from promptlab.readers.delimited import read_csv, read_tsv
from promptlab.readers.objects import read_json, read_jsonl
from promptlab.readers.rows import Row, Rows, text_of

__all__ = ["MAX_CHARS", "READERS", "Row", "Rows", "check_lengths", "read_rows", "text_of"]

MAX_CHARS = 100_000
"""The longest field that is accepted unless ``max_chars`` says otherwise, in characters."""

READERS: dict[str, Callable[[Path], Rows]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_jsonl,
    ".json": read_json,
    ".parquet": read_arrow,
    ".arrow": read_arrow,
}
"""How a data file is read, by its ending."""


def read_rows(path: str | Path, *, max_chars: int = MAX_CHARS) -> Rows:
    """Read a data file; its kind follows from its ending (see `READERS`).

    In ``.csv`` the delimiter is the comma, or the semicolon or tab when the header holds no
    comma. In ``.tsv`` quotes are plain characters where the file's quoting is not well-formed. A
    column without a name (pandas' row index) is left out. Text is UTF-8, or UTF-16 with its byte
    order mark. Raises `DataError` naming file and line for whatever cannot be read, and for a
    field of more than ``max_chars`` characters.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise DataError(
            f"{path}: cannot tell how to read a file that ends in {path.suffix or 'nothing'!r}; "
            f"data files end in {', '.join(READERS)}"
        )
    if not path.exists():
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path} is a folder; name one file in it")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; fill it with rows, or name another file")
        rows = READERS[path.suffix.lower()](path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not rows.rows:
        raise DataError(f"{path} holds no rows; add some below its header, or name another file")
    check_lengths(rows, max_chars)
    return rows


def check_lengths(rows: Rows, max_chars: int) -> None:
    """Raise `DataError` at the first field of more than ``max_chars`` characters."""
    for row in rows:
        for column, value in row.values.items():
            if not isinstance(value, str | bytes | list | dict):
                continue
            size = len(value) if isinstance(value, str | bytes) else len(text_of(value))
            if size > max_chars:
                raise DataError(
                    f"{rows.place(row)}: the field {column!r} holds {size:,} characters, the "
                    f"limit is {max_chars:,}. Shorten the field, drop the row, or raise the limit "
                    "(max_chars)"
                )
