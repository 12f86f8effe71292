"""A study's YAML changed at one key: the rest of the text, comments included, stays as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

import promptlab as pl
from promptlab.study import dump_yaml
from promptlab.study import parse_yaml

Place = tuple[str | int, ...]


def parse_yaml_text(text: str) -> dict[str, Any]:
    """The document of a text. Raises `InputError` for one that is no mapping."""
    document, _ = parse_yaml(text, "study.yaml")
    if not isinstance(document, dict):
        raise pl.InputError("a study is a mapping with the keys study, task and candidates")
    return document


def value_at(document: Any, place: Place) -> Any:
    """What stands at a place; ``None`` for nothing."""
    for part in place:
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, Sequence) and not isinstance(document, str):
            document = document[part] if isinstance(part, int) and part < len(document) else None
        else:
            return None
    return document


def with_value(document: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    """A copy with ``value`` at ``place``, ``None`` taking it out; short forms become mappings."""
    made: dict[str, Any] = _unshared(document)
    holder: Any = made
    last: Any = place[-1]
    part: Any
    for depth, part in enumerate(place[:-1]):
        inner: Any = holder[part] if isinstance(holder, list) else holder.get(part)
        if isinstance(inner, str):
            inner = {"data" if part == "task" else "name": inner}
        elif not isinstance(inner, dict | list):
            if value is None:
                return made
            inner = [] if isinstance(place[depth + 1], int) else {}
        holder[part] = inner
        holder = inner
    if value is None:
        if isinstance(holder, list) or last in holder:
            del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(value)
    else:
        holder[last] = value
    return made


def _unshared(value: Any) -> Any:
    """A copy in which what aliases shared stands for itself."""
    if isinstance(value, dict):
        return {key: _unshared(part) for key, part in value.items()}
    return [_unshared(part) for part in value] if isinstance(value, list) else value


def edit_yaml(text: str, place: Place, value: Any) -> str:
    """The text with ``value`` at ``place`` (``None`` takes it out).

    Only the lines of that key are written anew, or of the nearest key around it that stands on
    lines of its own. What comes out always says what was meant: the whole text is written anew,
    without its comments, if there is no other way. Raises `InputError` for text that cannot be
    read.
    """
    before = parse_yaml_text(text)
    wanted = with_value(before, place, value)
    if wanted == before:
        return text
    for depth in range(len(place), 0, -1):
        outer = place[:depth]
        if depth < len(place) and value_at(wanted, outer) is None:
            continue
        found = _rewritten(text, outer, value_at(wanted, outer))
        if found is not None and _says(found, wanted):
            return found
    return dump_yaml(wanted)


def _says(text: str, document: dict[str, Any]) -> bool:
    try:
        return parse_yaml_text(text) == document
    except pl.InputError:
        return False


def _rewritten(text: str, place: Place, value: Any) -> str | None:
    """The text with the lines of one key or item written anew; ``None`` where it has none alone."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    for part in place[:-1]:
        node = _inside(node, part)
    if node is None or getattr(node, "flow_style", True):
        return None
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    entries = _entries(node)
    last = place[-1]
    block = "" if value is None else _block(node, last, value)
    if last in entries:
        first, end = entries[last]
        end = min([e for e, _ in entries.values() if e > first], default=_end(node, lines))
        end = _without_trailing(lines, first, end)
        return "".join([*lines[:first], block, *lines[end:]])
    if value is None or not entries:
        return None
    end = _without_trailing(lines, 0, _end(node, lines))
    return "".join([*lines[:end], block, *lines[end:]])


def _inside(node: yaml.Node | None, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        return node.value[part] if part < len(node.value) else None
    return None


def _entries(node: yaml.Node) -> dict[str | int, tuple[int, int]]:
    """First line of every key or item (from 0) and its column."""
    if isinstance(node, yaml.MappingNode):
        return {k.value: (k.start_mark.line, k.start_mark.column) for k, _ in node.value}
    if isinstance(node, yaml.SequenceNode):
        return {n: (v.start_mark.line, node.start_mark.column) for n, v in enumerate(node.value)}
    return {}


def _block(node: yaml.Node, name: str | int, value: Any) -> str:
    """A key or an item with its value, as deep as its neighbours."""
    body = dump_yaml([value] if isinstance(node, yaml.SequenceNode) else {name: value})
    if isinstance(node, yaml.SequenceNode) and body.startswith("["):
        body = f"- {body[1:-2]}\n"
    lines = body.splitlines(keepends=True)
    margin = len(lines[0]) - len(lines[0].lstrip(" "))
    indent = " " * node.start_mark.column
    return "".join(indent + line[margin:] if line.strip() else line for line in lines)


def _end(node: yaml.Node, lines: Sequence[str]) -> int:
    mark = node.end_mark
    return mark.line if mark.column == 0 or not lines[mark.line :] else _last(mark, lines)


def _last(mark: yaml.Mark, lines: Sequence[str]) -> int:
    """A block ends where its next neighbour begins, or at the end of the text."""
    before = lines[mark.line][: mark.column] if mark.line < len(lines) else ""
    return mark.line if not before.strip() else mark.line + 1


def _without_trailing(lines: Sequence[str], first: int, end: int) -> int:
    """``end`` before the blank lines and comments that stand after the last value."""
    while end > first + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip()[0] == "#"):
        end -= 1
    return end
