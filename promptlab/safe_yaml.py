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


class StudyLoader(yaml.SafeLoader):
    """The safe loader by which only ``true`` and ``false`` are truth values.

    YAML 1.1 has yes, no, on, off, y and n for them, too, which are labels and answers here.
    """


def _without_words(resolvers: list[tuple[str, re.Pattern[str]]]) -> list[tuple[str, Any]]:
    return [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]


_BOOL = "tag:yaml.org,2002:bool"
StudyLoader.yaml_implicit_resolvers = {
    first: _without_words(resolvers)
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
StudyLoader.add_implicit_resolver(
    _BOOL, re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


@contextmanager
def reading(source: str, fault: type[InputError] = InputError) -> Iterator[None]:
    """What YAML finds wrong with ``source`` is raised as ``fault``, naming the line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise fault(f"{source}{line}: this is no valid YAML: {error.problem}") from error
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
