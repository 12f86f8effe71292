"""CSV and TSV."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import DataError
from promptlab.readers.encoding import decode
from promptlab.readers.rows import Row, Rows, check_columns

# csv keeps one field limit for the whole process; ours names the line, so it is lifted meanwhile.
_csv_limit = threading.Lock()


def read_csv(path: Path) -> Rows:
    """CSV, by commas, or by semicolons or tabs when the header holds no comma."""
    text = decode(path)
    header = text.lstrip("\n").partition("\n")[0]
    others = [mark for mark in ";\t" if mark in header]
    return _parse_csv(path, text, "," if "," in header or not others else others[0])


def read_tsv(path: Path) -> Rows:
    """TSV; its quotes are plain characters where they are not well-formed quoting."""
    text = decode(path)
    try:
        return _parse_csv(path, text, "\t")
    except DataError as quoted:
        if '"' not in text:
            raise
        try:
            return _parse_csv(path, text, "\t", quoting=csv.QUOTE_NONE)
        except DataError:
            raise quoted from None


def _parse_csv(path: Path, text: str, delimiter: str, quoting: Any = csv.QUOTE_MINIMAL) -> Rows:
    """Parse delimited text whose first record names the columns."""
    columns: list[str] | None = None
    rows: list[Row] = []
    with _csv_limit:
        limit = csv.field_size_limit(2**31 - 1)
        try:
            reader = csv.reader(
                io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
            )
            start = 1
            for record in reader:
                line, start = start, reader.line_num + 1
                if not record:
                    continue
                if columns is None:
                    columns = [name.strip() for name in record]
                    check_columns(path, columns, f", line {line}")
                    continue
                if len(record) != len(columns):
                    raise DataError(_ragged(path, line, record, columns, delimiter))
                values = {name: v for name, v in zip(columns, record, strict=True) if name}
                rows.append(Row(line, values))
        except csv.Error as error:
            raise DataError(
                f"{path}, line {start}: {error}; a field that holds quotes must be quoted itself, "
                'with each quote doubled: "he said ""yes"""'
            ) from error
        finally:
            csv.field_size_limit(limit)
    return Rows(path, tuple(name for name in columns or () if name), tuple(rows))


def _ragged(
    path: Path, line: int, record: Sequence[str], columns: Sequence[str], delimiter: str
) -> str:
    mark = {",": "commas", ";": "semicolons", "\t": "tabs"}[delimiter]
    values = "1 value" if len(record) == 1 else f"{len(record)} values"
    return (
        f"{path}, line {line}: {values} for {len(columns)} columns ({', '.join(columns)}); "
        f"quote text that holds {mark}, and give every row all its columns"
    )
