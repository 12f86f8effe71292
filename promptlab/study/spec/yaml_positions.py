"""Where in a YAML file a value stands, for messages that name the line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from promptlab.errors import StudyError
from promptlab.files.safe_yaml import StudyLoader, reading, refuse_twins
from promptlab.security.redaction import has_secret

Path = tuple[str | int, ...]

_MOST_CHARACTERS = 1_000_000
_MOST_VALUES = 50_000
_DEEPEST = 60
_TOO_DEEP = f"nested deeper than {_DEEPEST} levels; write it flatter"
_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character: no text that can be written holds it."""


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Path, int]]:
    """The document and the line (from 1) of every value by its path.

    Raises `StudyError` naming the line of a syntax error, and for a document that is no study
    file's size: longer than a million characters, nested deeper than 60 levels, or of more than
    50,000 values once its aliases stand for what they name.
    """
    if len(text) > _MOST_CHARACTERS:
        raise StudyError(
            f"{source}: {len(text):,} characters are too many for a study file; at most "
            f"{_MOST_CHARACTERS:,}"
        )
    if found := _HALF.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise StudyError(
            f"{source}, line {line}: holds half a character ({found[0]!r}), which is no text; "
            "remove it"
        )
    if has_secret(text):
        raise StudyError(
            f"{source}: it holds the value of an environment variable that is a key or a password; "
            "take it out: a study's folder keeps the file, and keys come from the environment alone"
        )
    with reading(source, StudyError):
        node, document = _read(text, source)
    lines: dict[Path, int] = {}
    if node is not None:
        _collect(node, (), lines)
    return document, lines


def read_values(text: str, source: str) -> Any:
    """The values of a document of any length that promptlab itself has written.

    Raises `StudyError` naming the line of what cannot be read.
    """
    if found := _HALF.search(text):
        raise StudyError(f"{source}: holds half a character ({found[0]!r}), which is no text")
    with reading(source, StudyError):
        return yaml.load(text, Loader=StudyLoader)  # noqa: S506 - the safe loader


def _read(text: str, source: str) -> tuple[yaml.Node | None, Any]:
    """The document's nodes and its values; nothing is made of a document that is too large."""
    _check_shape(text, source)
    loader = StudyLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, None
        try:
            _size(node, {}, 0)
        except StudyError as error:
            raise StudyError(f"{source}, {error}") from error
        refuse_twins(node, source, StudyError)
        return node, loader.construct_document(node)
    finally:
        loader.dispose()


def _check_shape(text: str, source: str) -> None:
    """Refuse what is too deep or too much before anything is made of it."""
    depth = values = 0
    for event in yaml.parse(text, Loader=StudyLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        values += isinstance(event, yaml.NodeEvent)
        if depth > _DEEPEST + 1 or values > _MOST_VALUES:
            place = f"{source}, line {event.start_mark.line + 1}"
            if depth > _DEEPEST + 1:
                raise StudyError(f"{place}: {_TOO_DEEP}")
            raise StudyError(f"{place}: more than {_MOST_VALUES:,} values; no study needs so many")


def _size(node: yaml.Node, known: dict[int, int | None], depth: int) -> int:
    """Values under ``node``, an alias counted as all that it stands for."""
    line = node.start_mark.line + 1
    found = known.get(id(node), 0)
    if found is None:
        raise StudyError(f"line {line}: a value that holds itself is no part of a study")
    if found:
        return found
    if depth > _DEEPEST:
        raise StudyError(f"line {line}: {_TOO_DEEP}")
    known[id(node)] = None
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        inner = list(node.value)
    size = 1
    for part in inner:
        size += _size(part, known, depth + 1)
        if size > _MOST_VALUES:
            raise StudyError(
                f"line {line}: more than {_MOST_VALUES:,} values, aliases counted as what they "
                "stand for; no study needs so many"
            )
    known[id(node)] = size
    return size


def line_of(lines: Mapping[Path, int], path: Sequence[Any]) -> int | None:
    """The line of ``path``, or of the nearest value around it."""
    known: Path = tuple(path)
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known)


def _collect(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _collect(value, (*path, str(key.value)), lines)
            lines[(*path, str(key.value))] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*path, index), lines)
