"""Worked examples: questions with the reasoning that leads to their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.errors import InputError
from promptlab.example import Example

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
_MARKED = re.compile(r"\s*####.*\Z", re.DOTALL)
_CALCULATION = re.compile(r"<<[^<>]*>>")


@dataclass(frozen=True)
class Worked:
    """An example's fields, the reasoning for it, and the answer as it is to be said."""

    fields: Mapping[str, str]
    reasoning: str
    answer: str

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"fields": dict(self.fields), "reasoning": self.reasoning, "answer": self.answer}

    def said(self, trigger: str, extraction: str) -> str:
        """What stands in the slot of a demonstration: trigger, reasoning, and the conclusion."""
        reasoning = self.reasoning.strip()
        return " ".join(filter(None, [trigger, reasoning, f"{extraction} {self.answer}."]))


def worked(examples: Sequence[Example], field: str) -> list[Worked]:
    """Training examples whose ``field`` holds their reasoning, as worked ones.

    GSM8K's marks (``<<3*4=12>>`` and the final ``#### 12``) are left out. Raises `InputError`
    when the field is missing.
    """
    found = []
    for example in examples:
        if field not in example.fields:
            raise InputError(
                f"the example {example.id} has no field {field!r} with its reasoning; its fields "
                f"are {', '.join(example.fields)}"
            )
        if example.label is None:
            continue
        reasoning = _MARKED.sub("", _CALCULATION.sub("", example.fields[field]))
        rest = {name: value for name, value in example.fields.items() if name != field}
        found.append(Worked(rest, reasoning.strip(), example.label))
    return found


def steps_of(reasoning: str) -> list[str]:
    """The steps of a reasoning: its lines, or its sentences where it stands in one line."""
    lines = [line.strip() for line in reasoning.splitlines() if line.strip()]
    if len(lines) > 1:
        return lines
    return [part for part in _SENTENCE.split(reasoning.strip()) if part]
