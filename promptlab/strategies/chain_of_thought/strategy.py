"""Chain of thought: the model reasons before it answers."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self, get_args

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.trace import TraceCursor
from promptlab.files.settings import check_seed
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.model_calls import (
    GenerateCall,
    StrategyResult,
    StrategyRun,
    traced_generate,
)
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import Parser
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.prompts.template import Demonstration, Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.answering import (
    AnswerReader,
    continue_prompt,
    require_reply,
)
from promptlab.strategies.chain_of_thought.automatic import AutoCoTConfig, select_auto_cot
from promptlab.strategies.chain_of_thought.worked_examples import (
    WorkedExample,
    parse_conclusion,
    split_reasoning,
    strip_brackets,
    worked_examples,
)

Mode = Literal["zero_shot", "manual", "auto"]
Extract = Literal["second", "reply"]

TRIGGER = "Let's think step by step."
"""Kojima et al. 2022."""
EXTRACTIONS: Mapping[str, str] = {
    "zero_shot": "Therefore, the answer is",
    "manual": "The answer is",
    "auto": "The answer is",
}
"""What the answer follows: Kojima et al. 2022, Wei et al. 2022, Zhang et al. 2022."""

_ANSWER_TOKENS = 16
_SPARE_TOKENS = 8


@earlier_names(prompt="render_prompt", answering="answer_reader")
class ChainOfThought(Strategy):
    """Reasoning first, then the answer.

    ``mode``: *zero_shot* puts ``trigger`` before the reasoning (Kojima et al. 2022); *manual*
    shows worked ``demonstrations`` (Wei et al. 2022), given or drawn from training examples whose
    ``reasoning_field`` holds their reasoning; *auto* has the model work out training examples of
    different kinds itself (Zhang et al. 2022, `AutoCoTConfig`).

    The answer is read by ``parser`` or scored among the labels of ``verbalizer``. ``extract``:
    *second* asks for it after the reasoning and ``extraction``; *reply* reads it where the
    reasoning says it itself ("the answer is ..."), else in the whole reply. ``trigger`` and
    ``extraction`` have the papers' words as defaults.

    Args:
        template: Asks the question; its slot is where the reasoning begins.
        model: A model that generates, or its name.
        parser: Reads the answer out of a reply; plain text unless given.
        verbalizer: Labels and their answers, in the place of a parser.
        decoding: How the reasoning is decoded; at most 96 tokens unless given.

    Raises:
        InputError: For settings that do not go together, such as *manual* without demonstrations.

    Example:
        >>> from promptlab.prompts.parsers.parsers import NumberParser
        >>> thoughtful = ChainOfThought("Q: {question}\\nA: {mask}", model, parser=NumberParser())
        >>> thoughtful.predict(["What is 3 + 4?"]).labels
        ['7']
    """

    def __init__(
        self,
        template: Template | str,
        model: LanguageModel | str,
        *,
        parser: Parser | None = None,
        verbalizer: Verbalizer | Mapping[str, Any] | None = None,
        mode: Mode = "zero_shot",
        trigger: str | None = None,
        extraction: str | None = None,
        extract: Extract = "second",
        demonstrations: Sequence[WorkedExample | Mapping[str, Any]] = (),
        reasoning_field: str | None = None,
        count: int = 4,
        seed: int = 13,
        automatic: AutoCoTConfig | None = None,
        decoding: Decoding | None = None,
    ) -> None:
        if verbalizer is not None and not isinstance(verbalizer, Verbalizer):
            verbalizer = Verbalizer(verbalizer)
        check_seed(seed)
        self.template = Template(template) if isinstance(template, str) else template
        self.model = as_model(model)
        self.answer_reader = AnswerReader(parser, verbalizer, Decoding(max_tokens=_ANSWER_TOKENS))
        self.mode, self.extract = mode, extract
        _check_modes(mode, extract, self.answer_reader, demonstrations, reasoning_field)
        self.trigger = ("" if mode == "manual" else TRIGGER) if trigger is None else trigger
        self.extraction = EXTRACTIONS[mode] if extraction is None else extraction
        self.reasoning_field = reasoning_field
        self.count, self.seed = count, seed
        self.automatic = automatic or AutoCoTConfig()
        self.decoding = decoding or Decoding(max_tokens=96)
        self.demonstrations: list[WorkedExample] | None = None if mode != "zero_shot" else []
        if mode == "manual" and demonstrations:
            self.demonstrations = [
                one if isinstance(one, WorkedExample) else WorkedExample(**one)
                for one in demonstrations
            ]
        self.model.require("generate")
        self.answer_reader.require(self.model)

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are chosen among, if the answer is scored."""
        return self.answer_reader.labels

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """How the reasoning is decoded; the answer after it is greedy."""
        return (self.decoding,)

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Draw the worked examples, or let the model write them."""
        if self.mode == "auto":
            self.demonstrations = select_auto_cot(train, self._zero_shot(), self.count, self.seed)
        elif self.mode == "manual" and self.reasoning_field is not None:
            found = worked_examples(train, self.reasoning_field)
            if len(found) < self.count:
                raise InputError(
                    f"{self.count} worked examples are asked for and {len(found)} training "
                    "examples have a label; ask for fewer or give more"
                )
            self.demonstrations = random.Random(self.seed).sample(found, self.count)

    def render_prompt(self, example: Example) -> Prompt:
        """What the reasoning follows, shortened to the model's window."""
        if self.demonstrations is None:
            raise not_fitted_error(f"{self.count} worked examples are to be found")
        said = strip_brackets(self.extraction)
        shown = [
            Demonstration(one.fields, self._worded(one).completion(self.trigger, said))
            for one in self.demonstrations
        ]
        prompt = render_truncated(self.template, example, shown, self.model, self._reserve())
        return continue_prompt(prompt, self.trigger) if self.trigger else prompt

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The reasoning, then the answer that follows from it."""
        prompt = self.render_prompt(example)
        ask = GenerateCall(self.model, prompt, self._decoding(), sample)
        reply, after = yield from traced_generate(branch, "reasoning", ask)
        facts: dict[str, Any] = {**(truncation_record(prompt) or {})}
        if reply.unreadable_reason:
            facts["unread"] = reply.unreadable_reason
            return StrategyResult(None, reply.text, tokens=reply.tokens_out, facts=facts)
        text = require_reply(reply, "reasoning", self.model)
        reasoning, stated = split_reasoning(text, self.extraction)
        if self.extract == "reply":
            label = self.answer_reader.parse(text) if stated is None else self._read(stated)
            after.annotate(label=label, stated=stated is not None)
            return StrategyResult(
                label,
                reply.text,
                logprob=reply.logprob,
                tokens=reply.tokens_out,
                reasoning=reasoning.strip(),
                facts=facts,
            )
        asked = continue_prompt(continue_prompt(prompt, reasoning.rstrip()), self.extraction)
        if self.labels:
            asked = asked.continued_with(" ")
        found, _ = yield from self.answer_reader.answer(
            self.model, asked, after, "answer", sample, self._read
        )
        sure = None if reply.logprob is None else reply.logprob + (found.logprob or 0.0)
        return replace(
            found,
            logprob=sure,
            tokens=reply.tokens_out + found.tokens,
            reasoning=reasoning.strip(),
            facts={**facts, **found.facts},
        )

    def _read(self, conclusion: str) -> str | None:
        assert self.answer_reader.parser is not None
        return parse_conclusion(conclusion, self.answer_reader.parser)

    def _worded(self, one: WorkedExample) -> WorkedExample:
        """A worked example whose answer is a label says the label's answer."""
        verbalizer = self.answer_reader.verbalizer
        if verbalizer is None or one.answer not in verbalizer.labels:
            return one
        return replace(one, answer=verbalizer.first_answer(one.answer).strip())

    def _decoding(self) -> Decoding:
        separator = self.template.demonstration_separator
        if self.demonstrations and separator and not self.decoding.stop:
            return replace(self.decoding, stop=(separator,))  # a model goes on with more examples
        return self.decoding

    def _reserve(self) -> int:
        words = Prompt((Text(f"{self.trigger} {self.extraction} "), Slot()))
        around = self.model.count_tokens(words) + _SPARE_TOKENS
        return self.decoding.max_tokens + around + self.answer_reader.max_answer_tokens

    def _zero_shot(self) -> ChainOfThought:
        """The same without demonstrations: what works out the automatic ones."""
        return ChainOfThought(
            self.template,
            self.model,
            parser=self.answer_reader.parser,
            verbalizer=self.answer_reader.verbalizer,
            trigger=self.trigger,
            extraction=self.extraction,
            extract=self.extract,
            automatic=self.automatic,
            decoding=replace(self.decoding, temperature=0.0),
        )

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example's reasoning as a reader sees it."""
        return self.model.display(self.render_prompt(as_examples([example], self.fields)[0]))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; demonstrations are included once found."""
        found = self.demonstrations
        return {
            "template": self.template.settings(),
            "answering": self.answer_reader.settings(),
            "mode": self.mode,
            "trigger": self.trigger,
            "extraction": self.extraction,
            "extract": self.extract,
            "demonstrations": None if found is None else [one.settings() for one in found],
            "reasoning_field": self.reasoning_field,
            "count": self.count,
            "seed": self.seed,
            "automatic": self.automatic.settings(),
            "decoding": self.decoding.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        answering = AnswerReader.from_settings(settings["answering"])
        drawn = settings["demonstrations"]
        manual = settings["mode"] == "manual" and settings["reasoning_field"] is None
        given = drawn if manual else ()
        made = cls(
            Template.from_settings(settings["template"]),
            model,
            parser=answering.parser,
            verbalizer=answering.verbalizer,
            mode=settings["mode"],
            trigger=settings["trigger"],
            extraction=settings["extraction"],
            extract=settings["extract"],
            demonstrations=given,
            reasoning_field=settings["reasoning_field"],
            count=settings["count"],
            seed=settings["seed"],
            automatic=AutoCoTConfig(**settings["automatic"]),
            decoding=Decoding.from_settings(settings["decoding"]),
        )
        if drawn is not None:
            made.demonstrations = [WorkedExample(**one) for one in drawn]
        return made


def _check_modes(
    mode: str,
    extract: str,
    answering: AnswerReader,
    demonstrations: Sequence[Any],
    reasoning_field: str | None,
) -> None:
    if mode not in get_args(Mode):
        raise InputError(f"unknown mode {mode!r}; it is one of {', '.join(get_args(Mode))}")
    if extract not in get_args(Extract):
        raise InputError(
            f"unknown extract {extract!r}; it is one of {', '.join(get_args(Extract))}"
        )
    if extract == "reply" and answering.labels:
        raise InputError(
            "scored labels are asked for after the reasoning: use extract second, or a parser"
        )
    if mode == "manual" and bool(demonstrations) == (reasoning_field is not None):
        raise InputError(
            "manual chain of thought needs worked demonstrations (fields, reasoning, answer), or "
            "the name of the training examples' field that holds their reasoning; give one of them"
        )
    if mode != "manual" and (demonstrations or reasoning_field is not None):
        raise InputError(f"mode {mode} takes no worked demonstrations; use mode manual")
