"""Reading data files, with errors that name the line.

Every reader gives `Rows`: column names and one `Row` a record, with the line it starts on (for
Parquet and Arrow, which have no lines, the row's number).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from promptlab.data.readers.arrow import read_arrow, read_parquet
from promptlab.data.readers.content import data_ending, read_content
from promptlab.data.readers.damage import damage_remarks
from promptlab.data.readers.delimited import read_csv, read_tsv
from promptlab.data.readers.encoding import decode
from promptlab.data.readers.file_format import FileFormat
from promptlab.data.readers.json_files import read_json, read_jsonl
from promptlab.data.readers.rows import Row, Rows, text_of
from promptlab.errors import DataError
from promptlab.files.provenance import note_file

__all__ = [
    "MAX_CHARS",
    "READERS",
    "FileFormat",
    "Row",
    "Rows",
    "check_lengths",
    "is_data_file",
    "read_rows",
    "text_of",
]

MAX_CHARS = 100_000
"""The longest field that is accepted unless ``max_chars`` says otherwise, in characters."""

_TEXT: dict[str, Callable[[Path, str, FileFormat], Rows]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
}
_TABLES: dict[str, Callable[[Path, bytes], Rows]] = {".parquet": read_parquet, ".arrow": read_arrow}
READERS: tuple[str, ...] = (*_TEXT, *_TABLES)
"""The endings of data files."""


def is_data_file(path: str | Path) -> bool:
    """Whether the ending is one of a data file, packed or not."""
    return data_ending(Path(path), READERS) is not None


def read_rows(
    path: str | Path, *, max_chars: int = MAX_CHARS, form: FileFormat | None = None
) -> Rows:
    """Read a data file; its kind follows from its ending (see `READERS`).

    ``.gz``, ``.bz2``, ``.xz`` and a ``.zip`` of one data file are unpacked. In ``.csv`` the
    delimiter is the comma, semicolon, tab or vertical bar by which all rows fit the header. In
    ``.tsv`` quotes are plain characters where the file's quoting is not well-formed. A column
    without a name (pandas' row index) is left out, and so are rows without any value. Text is
    UTF-8, or UTF-16 with its byte order mark. ``form`` says what shall not be found out.

    Args:
        path: The file.
        max_chars: The longest field that is accepted, in characters.
        form: Delimiter, header, encoding, quotes, and the key of a JSON document's rows.

    Returns:
        The rows, with remarks on what was left out or looks damaged.

    Raises:
        DataError: Naming file and line of whatever cannot be read.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "films.csv"
        >>> _ = file.write_text("text,label\\nA bore.,bad\\n")
        >>> rows = read_rows(file)
        >>> rows.columns, rows[0].values["label"]
        (('text', 'label'), 'bad')
    """
    path = Path(path)
    note_file(path)
    form = form or FileFormat()
    if not path.exists():
        if not is_data_file(path):
            read_content(path, READERS)  # raises: the ending is the first thing to mend
        raise DataError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise DataError(f"{path} is a folder; name one file in it")
    try:
        content = read_content(path, READERS)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if content.ending in _TABLES:
        rows = _TABLES[content.ending](path, content.data)
    else:
        rows = _TEXT[content.ending](path, decode(path, content.data, form.encoding), form)
    if not rows.rows:
        raise DataError(f"{path} holds no rows; add some below its header, or name another file")
    check_lengths(rows, max_chars)
    return replace(rows, remarks=(*rows.remarks, *damage_remarks(rows)))


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
