"""JSON Lines, and JSON arrays of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from promptlab.errors import DataError
from promptlab.readers.encoding import decode
from promptlab.readers.rows import Row, Rows

_LINES = "Each line must be one whole JSON object"
_ARRAY = "The file must be one array of JSON objects"


def read_jsonl(path: Path) -> Rows:
    """JSON Lines: one object a line, blank lines skipped."""
    return _parse_lines(path, decode(path))


def read_json(path: Path) -> Rows:
    """An array of objects, or JSON Lines under the ending ``.json``."""
    text = decode(path)
    if text.lstrip()[:1] == "[":
        return _json_rows(path, list(_array_items(path, text)))
    return _parse_lines(path, text)


def _parse_lines(path: Path, text: str) -> Rows:
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            found.append((number, _parse_json(path, number, line, _LINES)))
    return _json_rows(path, found)


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


def _json_rows(path: Path, found: Sequence[tuple[int, Any]]) -> Rows:
    """Rows from parsed JSON values; columns are the keys in order of first appearance."""
    columns: dict[str, None] = {}
    rows = []
    for line, value in found:
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, line {line}: found {_kind(value)}, every record must be a JSON object "
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
        raise DataError(
            f"{path}, line {line + error.lineno - 1}, column {error.colno}: not valid JSON: "
            f"{error.msg}. {form}"
        ) from error
    except (RecursionError, ValueError) as error:
        raise DataError(f"{path}, line {line}: JSON that cannot be read: {error}") from error


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
