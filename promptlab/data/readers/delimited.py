"""CSV and TSV."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptlab.data.readers.delimiter import DELIMITER_NAMES, find_delimiter
from promptlab.data.readers.file_format import FileFormat
from promptlab.data.readers.header import refuse_data_as_header
from promptlab.data.readers.rows import Row, Rows, check_columns
from promptlab.data.readers.unclosed_quotes import refuse_unclosed_quotes
from promptlab.errors import DataError

# csv keeps one field limit for the whole process; ours names the line, so it is lifted meanwhile.
_csv_limit = threading.Lock()

_MEND_QUOTES = (
    'a field that holds quotes must be quoted itself, with each quote doubled: "he said ""yes"""; '
    "or read quotes as plain characters (quotes: false)"
)


@dataclass(frozen=True)
class DelimitedRecord:
    """One record of a delimited file, and the line that it starts on."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class _Style:
    """The delimiter, whether quotes enclose fields, whether blanks before them are skipped."""

    mark: str
    quoted: bool = True
    skipping: bool = False


def read_csv(path: Path, text: str, form: FileFormat) -> Rows:
    """Delimited text, by the delimiter of ``form`` or the one that fits (`find_delimiter`)."""
    text, mark, start = _without_separator_line(text)
    mark = form.delimiter or mark
    if mark is None:
        quoting = csv.QUOTE_MINIMAL if form.quotes else csv.QUOTE_NONE
        mark = find_delimiter(path, text, quoting)
    styles = [_Style(mark, form.quotes)]
    if form.quotes and re.search(rf'(^|{re.escape(mark)}) +"', text, re.MULTILINE):
        styles.insert(0, _Style(mark, skipping=True))
    return _first_readable(path, text, form, styles, start)


def read_tsv(path: Path, text: str, form: FileFormat) -> Rows:
    """TSV; its quotes are plain characters where they are not well-formed quoting."""
    mark = form.delimiter or ("\t" if "\t" in text.partition("\n")[0] else None)
    if mark is None:  # another table under this ending
        return read_csv(path, text, form)
    styles = [_Style(mark, form.quotes)]
    if form.quotes and '"' in text:
        styles.append(_Style(mark, quoted=False))
    return _first_readable(path, text, form, styles, 1)


def _without_separator_line(text: str) -> tuple[str, str | None, int]:
    """The text behind Excel's line ``sep=;``, the delimiter it names, and where the text begins."""
    match = re.match(r'"?sep=(.)"?[ ]*(\r\n|\n|\r)', text, re.IGNORECASE)
    return (text, None, 1) if match is None else (text[match.end() :], match[1], 2)


def _first_readable(
    path: Path, text: str, form: FileFormat, styles: Sequence[_Style], start: int
) -> Rows:
    """The rows by the first of ``styles`` that fits; the last but one's fault where none does."""
    faults: list[DataError] = []
    for style in styles:
        try:
            return _rows(path, _records(path, text, style, start), form, style)
        except DataError as fault:
            faults.append(fault)
    raise faults[0] from None


def _records(path: Path, text: str, style: _Style, start: int) -> list[DelimitedRecord]:
    """All records that hold anything."""
    found = []
    offset = start - 1
    with _csv_limit:
        limit = csv.field_size_limit(2**31 - 1)
        try:
            reader = csv.reader(
                io.StringIO(text, newline=""),
                delimiter=style.mark,
                quoting=csv.QUOTE_MINIMAL if style.quoted else csv.QUOTE_NONE,
                skipinitialspace=style.skipping,
                strict=True,
            )
            for cells in reader:
                line, start = start, reader.line_num + 1 + offset
                found.append(DelimitedRecord(line, tuple(cells)))
        except csv.Error as error:
            raise DataError(f"{path}, line {start}: {error}; {_MEND_QUOTES}") from error
        finally:
            csv.field_size_limit(limit)
    return found


def _rows(path: Path, records: Sequence[DelimitedRecord], form: FileFormat, style: _Style) -> Rows:
    """Rows under the names of the first record, or under numbers where there is no header."""
    there = [record for record in records if record.cells]
    if not there:
        return Rows(path, (), ())
    if form.header is False:
        columns = [str(number) for number in range(1, len(there[0].cells) + 1)]
    else:
        columns = [name.strip().strip("\ufeff").strip() for name in there[0].cells]
        check_columns(path, columns, f", line {there[0].line}")
    begin = there if form.header is False else there[1:]
    body = [record for record in begin if any(cell.strip() for cell in record.cells)]
    empty = len(begin) - len(body)
    again = [record for record in body if [cell.strip() for cell in record.cells] == columns]
    body = [record for record in body if record not in again] if again else body
    for record in body:
        if _is_ragged(record, columns):
            raise DataError(_ragged(path, record, columns, style.mark))
    if form.header is None:
        refuse_data_as_header(path, there[0].line, columns, [r.cells for r in body])
    if style.quoted:
        lines = [(record.line, record.cells) for record in body]
        refuse_unclosed_quotes(path, lines, columns, style.mark)
    rows = tuple(
        Row(r.line, {n: v for n, v in zip(columns, r.cells, strict=False) if n}) for r in body
    )
    remarks = [*_left_out(path, empty, again), *_unnamed(path, columns, body)]
    return Rows(path, tuple(filter(None, columns)), rows, remarks=tuple(remarks))


def _is_ragged(record: DelimitedRecord, columns: Sequence[str]) -> bool:
    extra = record.cells[len(columns) :]
    return len(record.cells) < len(columns) or any(cell.strip() for cell in extra)


def _left_out(path: Path, empty: int, again: Sequence[DelimitedRecord]) -> list[str]:
    found = []
    if empty:
        found.append(
            f"{path}: {empty:,} {'row' if empty == 1 else 'rows'} without any value left out"
        )
    if again:
        found.append(
            f"{path}, line {again[0].line}: the header stands again (files put together?); "
            f"{len(again)} such {'row' if len(again) == 1 else 'rows'} left out"
        )
    return found


def _unnamed(path: Path, columns: Sequence[str], body: Sequence[DelimitedRecord]) -> list[str]:
    """A remark on columns without a name that hold something; the first is pandas' row index."""
    held = [
        index + 1
        for index, name in enumerate(columns)
        if index and not name and any(record.cells[index].strip() for record in body)
    ]
    if not held:
        return []
    return [f"{path}: column {', '.join(map(str, held))} has no name and is left out"]


def _ragged(path: Path, record: DelimitedRecord, columns: Sequence[str], delimiter: str) -> str:
    mark = DELIMITER_NAMES.get(delimiter, f"the character {delimiter!r}")
    count = len(record.cells)
    values = "1 value" if count == 1 else f"{count} values"
    return (
        f"{path}, line {record.line}: {values} for {len(columns)} columns ({', '.join(columns)}); "
        f"quote text that holds {mark}, and give every row all its columns; or, where other "
        "characters divide the columns, name them (delimiter)"
    )
