"""A chain of named steps, each a prompt that may read what the steps before it said."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.model_calls import Gather, StrategyResult, StrategyRun
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import Parser
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.answering import AnswerReader

_BULLET = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}[.):])\s+")


@earlier_names(answering="answer_reader")
@dataclass(frozen=True)
class ChainStep:
    """A step of a chain asks a prompt and gives its answer a name for later steps.

    `ChainStep.of` makes one from a text and a parser or a verbalizer.

    Args:
        name: An identifier; the templates of later steps read the answer as ``{name}``.
        template: Reads the example's fields and the answers of earlier steps.
        answer_reader: How the answer is got: parsed from a reply, or scored among labels; the
            reply as text unless given.
        map: The name of an earlier step that answers with a list (a JSON list, or lines). This
            step is asked once for every entry, and its answers are joined by line ends.
        item: The field in which the template reads an entry of that list.

    Example:
        >>> parts = ChainStep.of("parts", "{question}\\nIts parts, one a line: {mask}")
        >>> answers = ChainStep.of("answers", "{question}\\n{item} {mask}", map="parts")
        >>> answers.template.fields
        ('question', 'item')
        >>> chain_fields([parts, answers])
        ('question',)
    """

    name: str
    template: Template
    answer_reader: AnswerReader = field(default_factory=lambda: AnswerReader(decoding=Decoding()))
    map: str | None = None
    item: str = "item"

    @classmethod
    def of(
        cls,
        name: str,
        template: Template | str,
        *,
        parser: Parser | None = None,
        verbalizer: Verbalizer | Mapping[str, Any] | None = None,
        decoding: Decoding | None = None,
        map: str | None = None,
        item: str = "item",
    ) -> ChainStep:
        """A step from its parts; replies are taken as text without a parser or a verbalizer."""
        if verbalizer is not None and not isinstance(verbalizer, Verbalizer):
            verbalizer = Verbalizer(verbalizer)
        template = Template(template) if isinstance(template, str) else template
        return cls(
            name, template, AnswerReader(parser, verbalizer, decoding or Decoding()), map, item
        )

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "name": self.name,
            "template": self.template.settings(),
            "answering": self.answer_reader.settings(),
            "map": self.map,
            "item": self.item,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> ChainStep:
        """The inverse of `settings`."""
        return cls(
            settings["name"],
            Template.from_settings(settings["template"]),
            AnswerReader.from_settings(settings["answering"]),
            settings["map"],
            settings["item"],
        )


class Chain(Strategy):
    """Named steps one after the other; the last one gives the answer.

    Every step sees the example's fields and what the steps before it answered. A step whose reply
    is empty fails the example, and the error names the step; a reply that an earlier step's parser
    cannot read, or a list without entries to map over, leaves the example unparsed.

    Args:
        steps: The steps in order, each with a name of its own.
        model: The model that all steps ask, or its name.

    Raises:
        InputError: For no steps, or names and fields that make no chain.

    Example:
        >>> kinds = {"film": "film", "book": "book"}
        >>> moods = {"negative": "terrible", "positive": "great"}
        >>> steps = [
        ...     ChainStep.of("kind", "{text} This was a {mask}.", verbalizer=kinds),
        ...     ChainStep.of("mood", "{text} The {kind} was {mask}.", verbalizer=moods),
        ... ]
        >>> found = Chain(steps, model).predict(["A dull plot."])
        >>> found[0].label in moods, [step["name"] for step in found[0].trace["steps"]]
        (True, ['kind', 'mood'])
    """

    def __init__(self, steps: Sequence[ChainStep], model: LanguageModel | str) -> None:
        self.steps = tuple(steps)
        self.model = as_model(model)
        check_steps(self.steps)
        for step in self.steps:
            step.answer_reader.require(self.model)

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that some step reads."""
        return chain_fields(self.steps)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the last step chooses among, if it does."""
        return self.steps[-1].answer_reader.labels

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """Those of all steps that generate."""
        return tuple(
            s.answer_reader.decoding for s in self.steps if s.answer_reader.verbalizer is None
        )

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The last step's answer; the trace has every step under the one before it."""
        said: dict[str, str] = {}
        prompts: list[Prompt] = []
        for number, step in enumerate(self.steps):
            found, branch = yield from self._step(step, example, said, branch, sample, prompts)
            facts = truncation_record(*prompts) or {}
            if number == len(self.steps) - 1:
                return replace(found, facts={**found.facts, **facts})
            if found.label is None:
                told = {**found.facts, **facts, "unparsed_step": step.name}
                return StrategyResult(None, found.text, facts=told)
            said[step.name] = found.label
        raise AssertionError("a chain has steps")

    def _step(
        self,
        step: ChainStep,
        example: Example,
        said: Mapping[str, str],
        branch: TraceCursor,
        sample: int,
        prompts: list[Prompt],
    ) -> StrategyRun[tuple[StrategyResult, TraceCursor]]:
        fields = {**example.fields, **said}
        if step.map is None:
            return (yield from self._one(step, fields, branch, sample, prompts))
        items = parse_list(said[step.map])
        after = branch.step(step.name, items=len(items))
        parts: list[tuple[StrategyResult, TraceCursor]] = yield Gather(
            [self._one(step, fields | {step.item: item}, after, sample, prompts) for item in items]
        )
        answers = [found.label for found, _ in parts]
        text = "\n".join(found.text or found.label or "" for found, _ in parts)
        if not answers or any(answer is None for answer in answers):
            return StrategyResult(None, text), after
        return StrategyResult("\n".join(map(str, answers)), text), after

    def _one(
        self,
        step: ChainStep,
        fields: Mapping[str, str],
        branch: TraceCursor,
        sample: int,
        prompts: list[Prompt],
    ) -> StrategyRun[tuple[StrategyResult, TraceCursor]]:
        prompt = render_truncated(
            step.template, Example("", fields), (), self.model, step.answer_reader.max_answer_tokens
        )
        prompts.append(prompt)
        return (yield from step.answer_reader.answer(self.model, prompt, branch, step.name, sample))

    def example_prompt(self, example: Input) -> str:
        """The first step's prompt; the others read what it says."""
        (row,) = as_examples([example], self.fields)
        return self.model.display(self.steps[0].template.render(row))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"steps": [step.settings() for step in self.steps]}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        return cls([ChainStep.from_settings(step) for step in settings["steps"]], model)


def chain_fields(steps: Sequence[ChainStep]) -> tuple[str, ...]:
    """The example fields that some step reads: those that no step makes."""
    names: dict[str, None] = {}
    known: set[str] = set()
    for step in steps:
        own = known | ({step.item} if step.map else set())
        names |= dict.fromkeys(name for name in step.template.fields if name not in own)
        known.add(step.name)
    return tuple(names)


def parse_list(text: str) -> list[str]:
    """The entries of a list as a model writes one: a JSON list, or lines with or without bullets.

    Empty entries are left out.
    """
    start, end = text.find("["), text.rfind("]")
    if 0 <= start < end:
        try:
            found = json.loads(text[start : end + 1])
        except ValueError:
            found = None
        if isinstance(found, list):
            words = [e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in found]
            return [word.strip() for word in words if word.strip()]
    lines = [_BULLET.sub("", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]


def check_steps(steps: Sequence[ChainStep]) -> None:
    """Raise `InputError` for names, lists and fields that make no chain."""
    if not steps:
        raise InputError("a chain has no steps; give it one at least")
    names = [step.name for step in steps]
    for number, step in enumerate(steps):
        if not step.name.isidentifier():
            raise InputError(
                f"the step {step.name!r} needs a name that a template can read: letters, digits "
                "and _"
            )
        if step.name in names[:number]:
            raise InputError(f"two steps are called {step.name!r}; give each a name of its own")
        later = [name for name in step.template.fields if name in names[number:]]
        if later:
            raise InputError(
                f"step {step.name!r} reads {{{later[0]}}}, which is not said before it; put that "
                "step first, or name the steps otherwise than the data's fields"
            )
        if step.map is None:
            continue
        if step.map not in names[:number]:
            raise InputError(
                f"step {step.name!r} maps over {step.map!r}, which is no step before it; those are "
                f"{', '.join(names[:number]) or 'none'}"
            )
        if step.item not in step.template.fields:
            raise InputError(
                f"step {step.name!r} maps over {step.map!r} and its template does not read "
                f"{{{step.item}}}"
            )
