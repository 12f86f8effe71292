"""JSON Lines, JSON arrays of objects, and JSON documents that hold one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptlab.data.readers.file_format import FileFormat
from promptlab.data.readers.rows import Row, Rows
from promptlab.errors import DataError

_LINES = "Each line must be one whole JSON object"
_ARRAY = "The file must be one array of JSON objects"
_DOCUMENT = "The file must be JSON Lines, an array of objects, or one object that holds it"
_BREAK = re.compile(r"\r\n|\n|\r")


def read_jsonl(path: Path, text: str, form: FileFormat) -> Rows:
    """JSON Lines, blank lines skipped; what is JSON of another form is read as `read_json` does."""
    return read_json(path, text, form)


def read_json(path: Path, text: str, form: FileFormat) -> Rows:
    """An array of objects, JSON Lines, one object a row over several lines, or a document.

    A document is one object that holds the rows under a key (``form.records``, or its only list of
    objects), or columns: lists of one length, or mappings of the same keys, as pandas writes them.
    """
    begin = text.lstrip()[:1]
    if begin == "[":
        return _json_rows(path, list(_array_items(path, text)))
    if begin == "{" and not _is_whole(_first_line(text)):
        values = list(_values(path, text))
        if len(values) == 1 and isinstance(values[0][1], dict):
            return _document_rows(path, *values[0], form)
        return _json_rows(path, values)
    rows = _parse_lines(path, text)
    if len(rows) == 1 and (form.records or _holds_rows(rows[0].values)):
        return _document_rows(path, rows[0].line, dict(rows[0].values), form)
    return rows


def _parse_lines(path: Path, text: str) -> Rows:
    found = []
    for number, line in enumerate(_BREAK.split(text), start=1):
        if line.strip():
            found.append((number, _parse_json(path, number, line, _LINES)))
    return _json_rows(path, found)


def _first_line(text: str) -> str:
    return next((line for line in _BREAK.split(text) if line.strip()), "")


def _is_whole(line: str) -> bool:
    """Whether a line is JSON by itself, or is no beginning of a longer value either."""
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos < len(line.rstrip())
    except (RecursionError, ValueError):
        return True
    return True


def _values(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """JSON values one after the other, each over as many lines as it likes."""
    decoder = json.JSONDecoder()
    position = 0
    while match := re.compile(r"\s*").match(text, position):
        position = match.end()
        if position == len(text):
            return
        line = text.count("\n", 0, position) + 1
        try:
            _, end = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError, ValueError):
            _parse_json(path, line, text[position:], _DOCUMENT)  # raises, naming the place
            raise
        yield line, _parse_json(path, line, text[position:end], _DOCUMENT)
        position = end


def _array_items(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    """The items of the array that ``text`` holds, each with the line it starts on."""
    items = _parse_json(path, 1, text, _ARRAY)
    decoder = json.JSONDecoder()
    position, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    for item in items:
        start = position
        while text[position] in " \t\r\n,":
            position += 1
        line += text.count("\n", start, position)
        yield line, item
        _, end = decoder.raw_decode(text, position)
        line += text.count("\n", position, end)
        position = end


def _holds_rows(value: Mapping[str, Any]) -> bool:
    return bool(_lists(value)) or _columns_of(value) is not None


def _lists(value: Mapping[str, Any]) -> list[str]:
    """The keys that hold a list of two objects or more: one alone may be a field."""
    return [
        key
        for key, item in value.items()
        if isinstance(item, list) and len(item) > 1 and all(isinstance(row, dict) for row in item)
        and not all("role" in row or "from" in row for row in item)
    ]  # fmt: skip


def _document_rows(path: Path, line: int, value: dict[str, Any], form: FileFormat) -> Rows:
    """The rows that one object holds; the object itself is the row when it holds none."""
    if form.records is not None:
        if not isinstance(value.get(form.records), list):
            raise DataError(
                f"{path}: records is {form.records!r}, but no list stands there; the keys are "
                f"{', '.join(map(repr, value))}"
            )
        return _numbered(path, value[form.records])
    columns = _columns_of(value)
    if columns is not None:
        records = zip(*columns.values(), strict=True)
        return _numbered(path, [dict(zip(columns, record, strict=True)) for record in records])
    lists = _lists(value)
    if len(lists) > 1:
        raise DataError(
            f"{path}: lists of objects stand under {', '.join(map(repr, lists))}; say which are "
            f"the rows (records: {lists[0]})"
        )
    return _numbered(path, value[lists[0]]) if lists else _json_rows(path, [(line, value)])


def _columns_of(value: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """Columns, if the object holds some: lists of one length or mappings of the same keys."""
    items = list(value.values())
    if len(items) < 2:
        return None
    if all(isinstance(item, dict) and len(item) > 1 for item in items):
        if len({tuple(item) for item in items}) == 1:
            return {key: list(item.values()) for key, item in value.items()}
        return None
    if all(isinstance(item, list) and len(item) > 1 for item in items):
        plain = not any(isinstance(part, dict) for item in items for part in item)
        if plain and len({len(item) for item in items}) == 1:
            return {key: list(item) for key, item in value.items()}
    return None


def _numbered(path: Path, values: Sequence[Any]) -> Rows:
    """Rows of a document, known by their number."""
    rows = _json_rows(path, list(enumerate(values, start=1)), "row")
    return Rows(rows.path, rows.columns, rows.rows, unit="row")


def _json_rows(path: Path, found: Sequence[tuple[int, Any]], unit: str = "line") -> Rows:
    """Rows from parsed JSON values; columns are the keys in order of first appearance."""
    columns: dict[str, None] = {}
    rows = []
    for line, value in found:
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, {unit} {line}: found {_kind(value)}, every record must be a JSON object "
                'such as {"text": "...", "label": "..."}'
            )
        columns.update(dict.fromkeys(value))
        rows.append(Row(line, value))
    return Rows(path, tuple(columns), tuple(rows))


def _parse_json(path: Path, line: int, text: str, form: str) -> Any:
    """Parse strict JSON that starts on ``line``; NaN and infinities count as missing."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{path}, line {line}: the key {twice!r} stands twice in one object")
        return dict(found)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=lambda _: None)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails on half a surrogate pair
        return value
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path}, line {line}: holds {error.object[error.start]!a}, half of a character; "
            "write the whole pair or drop it"
        ) from error
    except json.JSONDecodeError as error:
        hint = " (Python's own writing? json.dumps writes JSON)" if _is_python(text) else ""
        raise DataError(
            f"{path}, line {line + error.lineno - 1}, column {error.colno}: not valid JSON: "
            f"{error.msg}{hint}. {form}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}, line {line}: JSON that cannot be read: {error}") from error


def _is_python(text: str) -> bool:
    return re.match(r"\s*[\[{]\s*'", text) is not None


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
