"""YAML read safely: the quick loader, its errors as the user's, no key that stands twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from promptlab.errors import InputError


def yaml_loader() -> Any:
    """The safe loader, in C (ten times as quick) where it is installed."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StudyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
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


_LONGEST_NUMBER = 200
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

StudyLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in _PLAIN:
    StudyLoader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first))
StudyLoader.yaml_constructors = {
    tag: made
    for tag, made in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.removeprefix(_TAG) in ("null", "bool", "str", "seq", "map")
}
StudyLoader.add_constructor(f"{_TAG}int", StudyLoader.construct_yaml_int)
StudyLoader.add_constructor(f"{_TAG}float", StudyLoader.construct_yaml_float)


@contextmanager
def reading(source: str, fault: type[InputError] = InputError) -> Iterator[None]:
    """What YAML finds wrong with ``source`` is raised as ``fault``, naming the line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        if "nesting depth" in str(error.problem):
            raise fault(f"{source}{line}: the document is nested too deep to be read") from error
        raise fault(f"{source}{line}: this is no valid YAML: {error.problem!s:.300}") from error
    except yaml.YAMLError as error:
        raise fault(f"{source}: this is no valid YAML: {error}") from error
    except RecursionError:
        raise fault(f"{source}: the document is nested too deep to be read") from None
    except (ValueError, OverflowError) as error:  # 2001-99-99, a number of five thousand digits
        raise fault(
            f"{source}: this is no valid YAML: a value cannot be read: {error}; quote it"
        ) from error


def refuse_twins(node: yaml.Node, source: str, fault: type[InputError] = InputError) -> None:
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
                line = key.start_mark.line + 1
                raise fault(f"{source}, line {line}: the key {key.value!r} stands twice")
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
