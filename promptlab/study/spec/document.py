"""A study file before it is validated: its values, and the line at which each of them stands."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from promptlab.errors import CHANGED, Location, StudyError, ValidationIssue
from promptlab.files.safe_yaml import Path, line_of, parse_yaml

MOST_ISSUES = 10
"""Issues that are told; of the others the number is."""
_LONGEST_KEY = 200


@dataclass(frozen=True)
class StudyDocument:
    """The mapping that a study file holds, and where its values stand.

    ``source`` is what messages call the file; ``lines`` has the line (from 1) of every value by
    the keys that lead to it, and is empty for a study that was given as a mapping.
    """

    values: dict[str, Any]
    source: str = ""
    lines: Mapping[Path, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, source: str) -> Self:
        """The document of a study file's text. Raises `StudyError` for what is no mapping."""
        values, lines = parse_yaml(text, source)
        if not isinstance(values, dict):
            found = "nothing" if values is None else f"{values!r:.40}"
            raise StudyError.at(
                Location(source),
                "a study file is a mapping with the keys study, task and candidates, found "
                f"{found}",
            )
        return cls(values, source, lines)

    def with_values(self, values: dict[str, Any]) -> Self:
        """Other values in the same places."""
        return replace(self, values=values)

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """Values replaced by their dotted keys, such as ``model.device``."""
        values, lines = copy.deepcopy(self.values), dict(self.lines)
        for key, value in changes.items():
            path = key.split(".")
            _put(values, path, value)
            lines[tuple(path)] = CHANGED
        return replace(self, values=values, lines=lines)

    def location(self, path: Iterable[str | int]) -> Location:
        """File and line of the value at ``path``, or of the nearest value around it."""
        return Location(self.source, line_of(self.lines, tuple(path)))

    def issue(self, path: Iterable[str | int], text: str) -> ValidationIssue:
        """What is wrong with the value at ``path``, which the text begins with."""
        place = tuple(path)
        return ValidationIssue(f"{_dotted(place)}: {text}", self.location(place))


def limited(issues: list[ValidationIssue], number: int) -> list[ValidationIssue]:
    """At most ten of ``number`` issues; the last one says how many more there are."""
    told = issues[:MOST_ISSUES]
    if left := number - len(told):
        told[-1] = replace(told[-1], text=f"{told[-1].text}\nand {left:,} more complaints")
    return told


def _dotted(path: Path) -> str:
    """A key as it is written, cut where it is no word any more."""
    text = ".".join(map(str, path))
    return text if len(text) <= _LONGEST_KEY else f"{text[:_LONGEST_KEY]}…"


def _put(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = values.get(key)
        if isinstance(inner, str):  # the short form
            inner = {"data" if key == "task" else "name": inner}
        values[key] = dict(inner) if isinstance(inner, dict) else {}
        values = values[key]
    values[keys[-1]] = value
