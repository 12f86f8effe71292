"""Where in a YAML file a value stands, for messages that name the line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from promptlab.errors import StudyError

Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """The safe loader, refusing keys that stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise StudyError(f"line {line}: the key {key.value!r} stands twice")
            seen.add(getattr(key, "value", ""))
        return super().construct_mapping(node, deep)


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Path, int]]:
    """The document and the line (from 1) of every value by its path.

    Raises `StudyError` naming the line of a syntax error.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise StudyError(f"{source}{line}: this is no valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise StudyError(f"{source}: this is no valid YAML: {error}") from error
    except StudyError as error:
        raise StudyError(f"{source}, {error}") from error
    lines: dict[Path, int] = {}
    if node is not None:
        _collect(node, (), lines)
    return document, lines


def line_of(lines: dict[Path, int], path: Sequence[Any]) -> int | None:
    """The line of ``path``, or of the nearest value around it."""
    known = tuple(path)
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
