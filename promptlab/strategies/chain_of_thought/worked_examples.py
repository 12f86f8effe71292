"""Worked examples: questions with the reasoning that leads to their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.prompts.parsers.parsers import NumberParser, Parser

_BRACKETS = re.compile(r"\s*\([^()]*\)")
_ADVERB = re.compile(r"^(?:therefore|thus|hence|so)\b,?\s*", re.IGNORECASE)


def strip_brackets(extraction: str) -> str:
    """An extraction text without what stands in brackets, such as "(arabic numerals)"."""
    return _BRACKETS.sub("", extraction)


def split_reasoning(reply: str, extraction: str) -> tuple[str, str | None]:
    """The reasoning, and what follows the last "the answer is" in it, if it says so.

    The phrase is ``extraction`` without a leading "Therefore," and without brackets, in any case.
    """
    phrase = _ADVERB.sub("", strip_brackets(extraction)).strip().rstrip(":")
    if not phrase:
        return reply, None
    pattern = r"\s+".join(re.escape(word) for word in phrase.split())
    pattern = rf"(?:\b(?:therefore|thus|hence|so)\b,?\s+)?\b{pattern}:?"
    found = list(re.finditer(pattern, reply, re.IGNORECASE))
    if not found or not reply[found[-1].end() :].strip():
        return reply, None
    return reply[: found[-1].start()], reply[found[-1].end() :]


def parse_conclusion(text: str, parser: Parser) -> str | None:
    """The answer in a conclusion: its first line, of a number its first sentence."""
    if isinstance(parser, NumberParser):
        return parser.parse(f"Answer: {text.strip()}")
    line = next((line for line in text.splitlines() if line.strip()), "")
    found = (parser.parse(part) for part in (line, text))
    return next((answer for answer in found if answer is not None), None)


_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)")
_MARKED = re.compile(r"\s*####.*\Z", re.DOTALL)
_CALCULATION = re.compile(r"<<[^<>]*>>")


@dataclass(frozen=True)
class WorkedExample:
    """A worked example has an example's fields, the reasoning for it, and its answer.

    `ChainOfThought` shows them before its question (Wei et al. 2022).

    Args:
        fields: The texts that the template reads, by field name.
        reasoning: The steps from the question to the answer.
        answer: What stands after "The answer is", without a full stop.

    Example:
        >>> fields = {"question": "How much is 2 + 3 + 4?"}
        >>> worked = WorkedExample(fields, "2 + 3 is 5. 5 + 4 is 9.", "9")
        >>> worked.completion("", "The answer is")
        '2 + 3 is 5. 5 + 4 is 9. The answer is 9.'
    """

    fields: Mapping[str, str]
    reasoning: str
    answer: str

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"fields": dict(self.fields), "reasoning": self.reasoning, "answer": self.answer}

    def completion(self, trigger: str, extraction: str) -> str:
        """What stands in the slot of a demonstration: trigger, reasoning, and the conclusion."""
        reasoning = self.reasoning.strip()
        return " ".join(filter(None, [trigger, reasoning, f"{extraction} {self.answer}."]))


def worked_examples(examples: Sequence[Example], field: str) -> list[WorkedExample]:
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
        found.append(WorkedExample(rest, reasoning.strip(), example.label))
    return found


def split_steps(reasoning: str) -> list[str]:
    """The steps of a reasoning: its lines, or its sentences where it stands in one line."""
    lines = [line.strip() for line in reasoning.splitlines() if line.strip()]
    if len(lines) > 1:
        return lines
    return [part for part in _SENTENCE.split(reasoning.strip()) if part]
