"""What predictors over one template share: demonstrations, and prompts that fit the window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.demonstrations import DemonstrationChoice
from promptlab.example import Example
from promptlab.models.language_model import Capability, LanguageModel
from promptlab.predictor import Input, as_examples, not_fitted
from promptlab.prompt import Prompt
from promptlab.strategy import Strategy
from promptlab.template import Demonstration, Template
from promptlab.window import render_within


class TemplatePredictor(Strategy, register=False):
    """A predictor that shows a model one template, with or without demonstrations.

    ``template`` may be its text, ``model`` a name for `load_model`, ``demonstrations`` their
    number. Drawn demonstrations are ``None`` until ``fit``, unless there are to be none.
    """

    def __init__(
        self,
        template: Template | str,
        model: LanguageModel | str,
        demonstrations: DemonstrationChoice | int,
        *,
        needs: Capability,
    ) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.model = _loaded(model)
        self.model.require(needs)
        self.choice = (
            DemonstrationChoice(demonstrations)
            if isinstance(demonstrations, int)
            else demonstrations
        )
        self.demonstrations: list[Demonstration] | None = None if self.choice.count else []

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    @abstractmethod
    def _answer(self, label: str) -> str:
        """What stands in the slot of a demonstration with this label."""

    @abstractmethod
    def _reserve(self) -> int:
        """Tokens of the window that are kept free for the answer."""

    def prompt(self, example: Example) -> Prompt:
        """The prompt of one example, shortened to the model's window."""
        if self.demonstrations is None:
            raise not_fitted(f"{self.choice.count} demonstrations are to be drawn")
        return render_within(
            self.template, example, self.demonstrations, self.model, self._reserve()
        )

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example as a reader sees it, ``{mask}`` in the slot."""
        return self.model.shown(self.prompt(as_examples([example], self.fields)[0]))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; demonstrations are included once drawn."""
        drawn = self.demonstrations
        return {
            "template": self.template.settings(),
            "choice": dict(vars(self.choice)),
            "demonstrations": None
            if drawn is None
            else [{"fields": dict(d.fields), "answer": d.answer} for d in drawn],
        }

    def _draw(self, train: Sequence[Example]) -> None:
        self.demonstrations = [
            Demonstration(example.fields, self._answer(str(example.label)))
            for example in self.choice.draw(train)
        ]

    def _restore(self, settings: Mapping[str, Any]) -> None:
        """Take over the demonstrations that `settings` kept."""
        if settings["demonstrations"] is not None:
            self.demonstrations = [Demonstration(**d) for d in settings["demonstrations"]]


def _loaded(model: LanguageModel | str) -> LanguageModel:
    if isinstance(model, LanguageModel):
        return model
    from promptlab.models.pool import load_model

    return load_model(model)
