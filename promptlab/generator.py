"""A prompt as a generator: the reply is generated and parsed, and what fails is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from promptlab.decoding import Decoding
from promptlab.demonstrations import DemonstrationChoice
from promptlab.models.language_model import LanguageModel
from promptlab.parser import Parser, parser_from_settings
from promptlab.predictions import Prediction, Predictions
from promptlab.predictor import Input, Predictor, as_examples, not_fitted
from promptlab.template import Demonstration, Template
from promptlab.window import render_within, shortening


class PromptGenerator(Predictor):
    """The model writes the answer and a parser reads it.

    A reply that cannot be parsed has the label ``None`` and counts as ``unparsed``; it is never
    turned into a default label.
    """

    def __init__(
        self,
        template: Template | str,
        parser: Parser,
        model: LanguageModel,
        *,
        decoding: Decoding | None = None,
        demonstrations: DemonstrationChoice | int = 0,
    ) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.parser = parser
        self.model = model
        self.model.require("generate")
        self.decoding = decoding or Decoding()
        self.choice = (
            DemonstrationChoice(demonstrations)
            if isinstance(demonstrations, int)
            else demonstrations
        )
        self.demonstrations: list[Demonstration] | None = [] if not self.choice.count else None

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    def fit(
        self,
        examples: Iterable[Input],
        labels: Sequence[str] | None = None,
        *,
        dev: Iterable[Input] = (),
    ) -> Self:
        """Draw the demonstrations; ``dev`` is not used."""
        train = as_examples(examples, self.fields, labels)
        self.demonstrations = [
            Demonstration(example.fields, str(example.label)) for example in self.choice.draw(train)
        ]
        return self

    def predict(self, examples: Iterable[Input]) -> Predictions:
        """One prediction an example: the parsed reply, with the reply itself in ``text``."""
        rows = as_examples(examples, self.fields)
        if self.demonstrations is None:
            raise not_fitted(f"{self.choice.count} demonstrations are to be drawn")
        demonstrations = self.demonstrations
        prompts = [
            render_within(self.template, row, demonstrations, self.model, self.decoding.max_tokens)
            for row in rows
        ]
        decoding = self.decoding
        separator = self.template.demonstration_separator
        if demonstrations and separator and not decoding.stop:
            # After demonstrations a model goes on inventing further examples.
            decoding = replace(decoding, stop=(separator,))
        made = self.model.generate(prompts, decoding)
        found = [self.parser.parse(reply.text) for reply in made]
        return Predictions(
            Prediction(
                example_id=row.id,
                label=label,
                target=row.label,
                text=reply.text,
                unparsed=label is None,
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
                seconds=reply.seconds,
                trace=shortening(prompt),
            )
            for row, prompt, reply, label in zip(rows, prompts, made, found, strict=True)
        )

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example as a reader sees it."""
        row = as_examples([example], self.fields)[0]
        return str(self.template.render(row, self.demonstrations or ()))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {
            "template": self.template.settings(),
            "parser": self.parser.settings(),
            "decoding": self.decoding.settings(),
            "choice": vars(self.choice) | {},
            "demonstrations": None
            if self.demonstrations is None
            else [{"fields": dict(d.fields), "answer": d.answer} for d in self.demonstrations],
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        decoding = settings["decoding"] | {"stop": tuple(settings["decoding"]["stop"])}
        made = cls(
            Template.from_settings(settings["template"]),
            parser_from_settings(settings["parser"]),
            model,
            decoding=Decoding(**decoding),
            demonstrations=DemonstrationChoice(**settings["choice"]),
        )
        if settings["demonstrations"] is not None:
            made.demonstrations = [Demonstration(**d) for d in settings["demonstrations"]]
        return made
