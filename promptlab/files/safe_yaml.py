"""YAML read safely: plain values alone, within limits, every value's line known for messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml

from promptlab.errors import InputError, Location, StudyError
from promptlab.security.redaction import has_secret

Path = tuple[str | int, ...]
"""The keys and indices that lead to a value of a document."""

_MOST_CHARACTERS = 1_000_000
_MOST_VALUES = 50_000
_DEEPEST = 60
_TOO_DEEP = f"nested deeper than {_DEEPEST} levels; write it flatter"
_LONGEST_NUMBER = 200
_HALF = re.compile("[\ud800-\udfff]")
"""Half of a character: no text that can be written holds it."""


def yaml_loader() -> Any:
    """The safe loader, in C (ten times as quick) where it is installed."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader of plain values, by which only ``true`` and ``false`` are truth values.

    YAML 1.1 has yes, no, on, off, y and n for them, too, which are labels and answers here. Nor
    is 12:30 the number 750, 010 the number 8, or 2001-01-01 anything but text; and sets, dates and
    bytes, which no setting is, are not made.
    """

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number; one of hundreds of digits would take its time to be made or told."""
        self._check_length(node)
        return int(super().construct_yaml_int(node))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """A number."""
        self._check_length(node)
        return float(super().construct_yaml_float(node))

    def _check_length(self, node: yaml.ScalarNode) -> None:
        if len(node.value) > _LONGEST_NUMBER:
            raise yaml.constructor.ConstructorError(
                problem=f"a number of {len(node.value):,} characters is no setting; quote what is "
                "text",
                problem_mark=node.start_mark,
            )


_TAG = "tag:yaml.org,2002:"
_PLAIN = (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("merge", "<<", "<"),
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
)
"""What a scalar without quotes is, by its writing and its first characters; all else is text."""

PlainLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _PLAIN:
    PlainLoader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first))
PlainLoader.yaml_constructors = {
    tag: made
    for tag, made in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "str", "seq", "map")
}
PlainLoader.add_constructor(f"{_TAG}int", PlainLoader.construct_yaml_int)
PlainLoader.add_constructor(f"{_TAG}float", PlainLoader.construct_yaml_float)


def parse_yaml(text: str, source: str) -> tuple[Any, dict[Path, int]]:
    """A document and the lines of its values.

    Args:
        text: YAML of plain values; only ``true`` and ``false`` are truth values.
        source: What messages call the text, such as its file.

    Returns:
        The document, and the line (from 1) of every value by the keys that lead to it.

    Raises:
        StudyError: With the line of a syntax error or of a key that stands twice; and for a text
            longer than a million characters, nested deeper than 60 levels, or of more than 50,000
            values once its aliases stand for what they name.

    Example:
        >>> document, lines = parse_yaml("task:\\n  data: sst2\\n", "study.yaml")
        >>> document, lines["task", "data"]
        ({'task': {'data': 'sst2'}}, 2)
    """
    if len(text) > _MOST_CHARACTERS:
        raise StudyError.at(
            Location(source),
            f"{len(text):,} characters are too many for a study file; at most {_MOST_CHARACTERS:,}",
        )
    if found := _HALF.search(text):
        raise StudyError.at(
            Location(source, text.count("\n", 0, found.start()) + 1),
            f"holds half a character ({found[0]!r}), which is no text; remove it",
        )
    if has_secret(text):
        raise StudyError.at(
            Location(source),
            "it holds the value of an environment variable that is a key or a password; take it "
            "out: a study's folder keeps the file, and keys come from the environment alone",
        )
    with raising_yaml_errors(source, StudyError):
        _check_shape(text, source)
        loader = PlainLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, {}
            _check_size(node, source)
            reject_duplicate_keys(node, source, StudyError)
            document = loader.construct_document(node)
        finally:
            loader.dispose()
    lines: dict[Path, int] = {}
    _collect_lines(node, (), lines)
    return document, lines


def read_yaml(text: str, source: str) -> Any:
    """The values of a document of any length that promptlab itself has written.

    Raises `StudyError` naming the line of what cannot be read.
    """
    if found := _HALF.search(text):
        raise StudyError(f"{source}: holds half a character ({found[0]!r}), which is no text")
    with raising_yaml_errors(source, StudyError):
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506 - the safe loader


def line_of(lines: Mapping[Path, int], path: Sequence[Any]) -> int | None:
    """The line of the value at ``path``, or of the nearest value around it."""
    known: Path = tuple(path)
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known)


@contextmanager
def raising_yaml_errors(source: str, fault: type[InputError] = InputError) -> Iterator[None]:
    """What YAML finds wrong with ``source`` is raised as ``fault``, naming the line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Location(source, mark.line + 1 if mark else None)
        if "nesting depth" in str(error.problem):
            raise fault.at(place, "the document is nested too deep to be read") from error
        raise fault.at(place, f"this is no valid YAML: {error.problem!s:.300}") from error
    except yaml.YAMLError as error:
        raise fault.at(Location(source), f"this is no valid YAML: {error}") from error
    except RecursionError:
        raise fault.at(Location(source), "the document is nested too deep to be read") from None
    except (ValueError, OverflowError) as error:  # 2001-99-99, a number of five thousand digits
        raise fault.at(
            Location(source), f"this is no valid YAML: a value cannot be read: {error}; quote it"
        ) from error


def reject_duplicate_keys(
    node: yaml.Node, source: str, fault: type[InputError] = InputError
) -> None:
    """Raise ``fault``, naming the line, where a key stands twice in one mapping."""
    left, known = [node], set[int]()
    while left:
        one = left.pop()
        if id(one) in known:  # an alias
            continue
        known.add(id(one))
        if isinstance(one, yaml.SequenceNode):
            left += one.value
        if not isinstance(one, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, value in one.value:
            left += [key, value]
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise fault.at(_location(source, key), f"the key {key.value!r} stands twice")
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)


def _location(source: str, node: yaml.Node | yaml.Event) -> Location:
    return Location(source, node.start_mark.line + 1)


def _check_shape(text: str, source: str) -> None:
    """Refuse what is too deep or too much before anything is made of it."""
    depth = values = 0
    for event in yaml.parse(text, Loader=PlainLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        values += isinstance(event, yaml.NodeEvent)
        if depth > _DEEPEST + 1:
            raise StudyError.at(_location(source, event), _TOO_DEEP)
        if values > _MOST_VALUES:
            raise StudyError.at(
                _location(source, event),
                f"more than {_MOST_VALUES:,} values; no study needs so many",
            )


def _check_size(node: yaml.Node, source: str) -> None:
    """Refuse what is too deep or too much where every alias stands for what it names."""
    known: dict[int, int | None] = {}

    def size(node: yaml.Node, depth: int) -> int:
        found = known.get(id(node), 0)
        if found is None:
            raise StudyError.at(
                _location(source, node), "a value that holds itself is no part of a study"
            )
        if found:
            return found
        if depth > _DEEPEST:
            raise StudyError.at(_location(source, node), _TOO_DEEP)
        known[id(node)] = None
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = list(node.value)
        total = 1
        for part in inner:
            total += size(part, depth + 1)
            if total > _MOST_VALUES:
                raise StudyError.at(
                    _location(source, node),
                    f"more than {_MOST_VALUES:,} values, aliases counted as what they stand for; "
                    "no study needs so many",
                )
        known[id(node)] = total
        return total

    size(node, 0)


def _collect_lines(node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _collect_lines(value, (*path, str(key.value)), lines)
            lines[(*path, str(key.value))] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*path, index), lines)
