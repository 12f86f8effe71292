"""A prompt as a generator: the reply is generated and parsed, and what fails is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from promptlab.asks import Generate, Outcome, Solving, generated
from promptlab.decoding import Decoding
from promptlab.demonstrations import DemonstrationChoice
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.parser import ChoiceParser, Parser
from promptlab.parser_settings import parser_from_settings
from promptlab.template import Template
from promptlab.template_predictor import TemplatePredictor
from promptlab.trace import Branch
from promptlab.window import shortening


class PromptGenerator(TemplatePredictor):
    """The model writes the answer and a parser reads it.

    A reply that cannot be parsed has the label ``None`` and counts as ``unparsed``; it is never
    turned into a default label.
    """

    def __init__(
        self,
        template: Template | str,
        parser: Parser,
        model: LanguageModel | str,
        *,
        decoding: Decoding | None = None,
        demonstrations: DemonstrationChoice | int = 0,
    ) -> None:
        super().__init__(template, model, demonstrations, needs="generate")
        self.parser = parser
        self.decoding = decoding or Decoding()

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Draw the demonstrations."""
        self._draw(train)

    def solve(self, example: Example, branch: Branch, sample: int = 0) -> Solving[Outcome]:
        """The parsed reply, with the reply itself in ``text``."""
        prompt = self.prompt(example)
        ask = Generate(self.model, prompt, self._decoding(), sample)
        reply, after = yield from generated(branch, "answer", ask)
        label = self.parser.parse(reply.answer)
        after.note(label=label)
        unread = {"unread": reply.unread} if reply.unread else {}
        return Outcome(
            label,
            reply.text,
            logprob=reply.logprob,
            tokens=reply.tokens_out,
            facts={**(shortening(prompt) or {}), **unread},
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

    def _decoding(self) -> Decoding:
        separator = self.template.demonstration_separator
        if self.demonstrates and separator and not self.decoding.stop:
            # After demonstrations a model goes on inventing further examples.
            return replace(self.decoding, stop=(separator,))
        return self.decoding

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return super().settings() | {
            "parser": self.parser.settings(),
            "decoding": self.decoding.settings(),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        made = cls(
            Template.from_settings(settings["template"]),
            parser_from_settings(settings["parser"]),
            model,
            decoding=Decoding.from_settings(settings["decoding"]),
            demonstrations=DemonstrationChoice(**settings["choice"]),
        )
        made._restore(settings)
        return made

    def _answer(self, label: str) -> str:
        return label

    def _reserve(self) -> int:
        return self.decoding.max_tokens
