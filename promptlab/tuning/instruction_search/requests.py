"""What a writer is asked for: an instruction, by one of several methods.

Everything that stands in a request comes in fields, so that texts of the data are read as words
and the longest are shortened where the writer's window is too small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptlab.data.example import Example
from promptlab.prompts.template import Template
from promptlab.tuning.instruction_search.word_differences import word_differences

Method = Literal["induction", "trajectory", "crossover", "reflection", "differential", "merge"]
"""How a proposal is made; *merge* takes parts of two prompts and asks no writer."""

_END = (
    "Write the instruction alone, in at most three sentences, without any example.\n\n"
    "Instruction: {mask}"
)
_TEXTS: Mapping[Method, str] = {
    "induction": (
        "Somebody followed one instruction to get from each of these inputs to its output.\n\n"
        "{examples}\n\nWhat was the instruction? " + _END
    ),
    "trajectory": (
        "These instructions for one task were tried. Under each stands its score; more is better, "
        "and the best come last.\n\n{tried}\n\nSome inputs of the task with the right "
        "outputs:\n\n{examples}\n\nThink of an instruction that differs from all of these and gets "
        "a higher score. " + _END
    ),
    "crossover": (
        "Two instructions for the same task:\n\nA: {first}\n\nB: {second}\n\nSome inputs of the "
        "task with the right outputs:\n\n{examples}\n\nTake what is best in each of the two, and "
        "say it in other words. " + _END
    ),
    "differential": (
        "Two instructions for the same task differ in these parts:\n\n{differences}\n\nSay each of "
        "these parts in other words, and put them in the place of what they are about in this "
        "instruction, the best so far:\n\nA: {best}\n\nThen take what is best in the result and in "
        "this one:\n\nB: {base}\n\nSome inputs of the task with the right outputs:\n\n{examples}"
        "\n\nDo all this in your head. " + _END
    ),
    "reflection": (
        "An assistant was given this instruction:\n\n{instruction}\n\nWith it, it was wrong on "
        "these inputs:\n\n{failures}\n\nFind out what the instruction leaves unclear, and write a "
        "better one that states general rules with which these would be right. " + _END
    ),
}


@dataclass(frozen=True)
class WritingRequest:
    """What a writer is shown: the template of a method, and its fields.

    Args:
        method: The method.
        fields: The texts of the template's fields by name.
        instead_of: The method that was to be, and why it could not, where this is another one.

    Example:
        >>> request = WritingRequest("crossover", {"first": "a", "second": "b", "examples": ""})
        >>> request.template.fields
        ('first', 'second', 'examples')
    """

    method: Method
    fields: Mapping[str, str]
    instead_of: str = ""

    @property
    def template(self) -> Template:
        """The method's template."""
        return Template(_TEXTS[self.method], name=f"instruction by {self.method}")


def request_of(made: Mapping[str, Any], examples: str) -> WritingRequest:
    """What a writer is asked for a candidate that is not by *reflection*.

    Args:
        made: Its settings: the method and what it is made from.
        examples: Solved examples, as `list_examples` lists them.

    Example:
        >>> request_of({"method": "trajectory", "tried": [["Name it.", 0.5]]}, "").fields["tried"]
        'Name it.\\nScore: 0.500'
    """
    method: Method = made["method"]
    fields = {"examples": examples}
    if method == "trajectory":
        fields["tried"] = list_tried([(text, float(score)) for text, score in made["tried"]])
    elif method == "crossover":
        fields["first"], fields["second"] = (one["instruction"] for one in made["parents"])
    elif method == "differential":
        fields["base"], fields["best"], *donors = (one["instruction"] for one in made["parents"])
        fields["differences"] = list_differences(*donors)
    return WritingRequest(method, fields)


def list_examples(examples: Sequence[Example], fields: Sequence[str]) -> str:
    """Inputs with their right outputs, as a request shows them.

    Example:
        >>> print(list_examples([Example("1", {"text": "A bore."}, "negative")], ["text"]))
        Input: A bore.
        Output: negative
    """
    return "\n\n".join(f"{_input(e, fields)}\nOutput: {e.label}" for e in examples)


def list_failures(failures: Sequence[tuple[Example, str | None]], fields: Sequence[str]) -> str:
    """Inputs with the outputs that came and those that were right; no output was read: ``None``."""
    return "\n\n".join(
        f"{_input(example, fields)}\nIts output: {found or '(none that can be read)'}\n"
        f"Right output: {example.label}"
        for example, found in failures
    )


def list_differences(first: str, second: str) -> str:
    """In which words two instructions differ, a line each (Guo et al. 2024, EvoPrompt's DE)."""
    return "\n".join(str(found) for found in word_differences(first, second)) or "(none)"


def list_tried(tried: Sequence[tuple[str, float]]) -> str:
    """Instructions with their scores, the best last (Yang et al. 2024, OPRO)."""
    ordered = sorted(tried, key=lambda pair: pair[1])
    return "\n\n".join(
        f"{text or '(no instruction)'}\nScore: {score:.3f}" for text, score in ordered
    )


def _input(example: Example, fields: Sequence[str]) -> str:
    if len(fields) == 1:
        return f"Input: {example.fields[fields[0]]}"
    return "\n".join(f"{name}: {example.fields[name]}" for name in fields)
