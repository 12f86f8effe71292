"""A prompt as a generator: the reply is generated and parsed, and what fails is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from promptlab.data.example import Example
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.model_calls import (
    GenerateCall,
    StrategyResult,
    StrategyRun,
    traced_generate,
)
from promptlab.predictors.template_predictor import TemplatePredictor
from promptlab.predictors.truncation import truncation_record
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import ChoiceParser, Parser, parser_from_settings
from promptlab.prompts.template import Template


class PromptGenerator(TemplatePredictor):
    """The model writes the answer and a parser reads it.

    A reply that cannot be parsed has the label ``None`` and counts as ``unparsed``; it is never
    turned into a default label. Where the training examples have few labels, an answer that is one
    of them but for case, as a json or text parser may read it ("Positive"), is that label.

    Args:
        template: A template, or its text with fields and the slot ``{mask}``.
        parser: Reads the answer out of a reply.
        model: A model that generates, or its name.
        decoding: How replies are decoded; greedy unless given.
        demonstrations: How solved examples are chosen, or their number.

    Example:
        >>> from promptlab.prompts.parsers.parsers import NumberParser
        >>> generator = PromptGenerator("{question} = {mask}", NumberParser(), model)
        >>> generator.predict(["3 + 4"]).labels
        ['7']
    """

    def __init__(
        self,
        template: Template | str,
        parser: Parser,
        model: LanguageModel | str,
        *,
        decoding: Decoding | None = None,
        demonstrations: DemonstrationConfig | int = 0,
    ) -> None:
        super().__init__(template, model, demonstrations, needs="generate")
        self.parser = parser
        self.decoding = decoding or Decoding()
        self.classes: tuple[str, ...] = ()

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Draw the demonstrations, and see how labels are written."""
        self.classes = _classes(train)
        self._select_demonstrations(train)

    def solve(
        self, example: Example, branch: TraceCursor, sample: int = 0
    ) -> StrategyRun[StrategyResult]:
        """The parsed reply, with the reply itself in ``text``."""
        prompt = self.render_prompt(example)
        ask = GenerateCall(self.model, prompt, self._decoding(), sample)
        reply, after = yield from traced_generate(branch, "answer", ask)
        label = self._as_class(self.parser.parse(reply.answer))
        after.annotate(label=label)
        unread = {"unread": reply.unreadable_reason} if reply.unreadable_reason else {}
        return StrategyResult(
            label,
            reply.text,
            logprob=reply.logprob,
            tokens=reply.tokens_out,
            facts={**(truncation_record(prompt) or {}), **unread},
        )

    @property
    def possible_labels(self) -> tuple[str, ...]:
        """The labels that the parser chooses among; empty for a parser of open answers."""
        if isinstance(self.parser, ChoiceParser):
            return tuple(label for label, _ in self.parser.choices)
        return ()

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """How replies are decoded."""
        return (self.decoding,)

    def _as_class(self, answer: str | None) -> str | None:
        """An answer as the one class is written that it is but for case."""
        if answer is None or answer in self.classes:
            return answer
        same = [label for label in self.classes if label.casefold() == answer.strip().casefold()]
        return same[0] if len(same) == 1 else answer

    def _decoding(self) -> Decoding:
        separator = self.template.demonstration_separator
        if self.has_demonstrations and separator and not self.decoding.stop:
            # After demonstrations a model goes on inventing further examples.
            return replace(self.decoding, stop=(separator,))
        return self.decoding

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return super().settings() | {
            "parser": self.parser.settings(),
            "decoding": self.decoding.settings(),
            **({"classes": list(self.classes)} if self.classes else {}),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        made = cls(
            Template.from_settings(settings["template"]),
            parser_from_settings(settings["parser"]),
            model,
            decoding=Decoding.from_settings(settings["decoding"]),
            demonstrations=DemonstrationConfig(**settings["choice"]),
        )
        made.classes = tuple(settings.get("classes", ()))
        made._restore(settings)
        return made

    def _answer(self, label: str) -> str:
        return label

    def _reserve(self) -> int:
        return self.decoding.max_tokens


_MAX_CLASSES = 50


def _classes(train: Sequence[Example]) -> tuple[str, ...]:
    """The labels of examples that fall into classes: few, and each of several examples."""
    labels = [str(example.label) for example in train if example.label is not None]
    found = tuple(sorted(set(labels)))
    return found if len(found) <= min(_MAX_CLASSES, len(labels) // 2) else ()
