"""What predictors over one template share: demonstrations, and prompts that fit the window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from promptlab.compat.earlier_names import earlier_names
from promptlab.data.example import Example
from promptlab.data.inputs import Input, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.base import Capability, LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.demonstrations.nearest import NearestDemonstrations
from promptlab.predictors.demonstrations.sampling import require_labelled
from promptlab.predictors.demonstrations.selection import select_demonstrations
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Demonstration, Template


@earlier_names(
    prompt="render_prompt",
    choice="demonstration_config",
    neighbours="nearest_demonstrations",
    demonstrates="has_demonstrations",
    alone="predict_zero_shot",
    columns="label_columns",
)
class TemplatePredictor(Strategy, register=False):
    """A predictor that shows a model one template, with or without demonstrations.

    ``template`` may be its text, ``model`` a name for `load_model`, ``demonstrations`` their
    number. ``demonstrations`` are ``None`` until ``fit``, unless there are to be none, and stay so
    where every input has its own (``nearest_demonstrations``).
    """

    def __init__(
        self,
        template: Template | str,
        model: LanguageModel | str,
        demonstrations: DemonstrationConfig | int,
        *,
        needs: Capability,
    ) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.model = as_model(model)
        self.model.require(needs)
        self.demonstration_config = (
            DemonstrationConfig(demonstrations)
            if isinstance(demonstrations, int)
            else demonstrations
        )
        self.demonstrations: list[Demonstration] | None = (
            None if self.demonstration_config.count else []
        )
        self.nearest_demonstrations: NearestDemonstrations | None = None
        self._check_placement(needs)

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

    def render_prompt(self, example: Example) -> Prompt:
        """The prompt of one example, shortened to the model's window."""
        return self.render_prompts([example])[0]

    def render_prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        """The prompts of examples, in order, each shortened to the model's window."""
        shown = [self.demonstrations_of(example) for example in examples]
        return self._render(examples, shown)

    def demonstrations_of(self, example: Example) -> list[Demonstration]:
        """The demonstrations of one example's prompt: everybody's, or its own nearest ones."""
        if self.nearest_demonstrations is not None:
            return self._render_demonstrations(self.nearest_demonstrations.select(example))
        if self.demonstrations is None:
            raise not_fitted_error(
                f"{self.demonstration_config.count} demonstrations are to be drawn"
            )
        return self.demonstrations

    def prepare(self, examples: Sequence[Example]) -> None:
        """Find what the prompts of these examples need, all at once."""
        if self.nearest_demonstrations is not None:
            self.nearest_demonstrations.prepare(examples)

    @property
    def has_demonstrations(self) -> bool:
        """Whether there are demonstrations in the prompts."""
        return bool(self.demonstrations) or self.nearest_demonstrations is not None

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example as a reader sees it, ``{mask}`` in the slot."""
        return self.model.display(self.render_prompt(as_examples([example], self.fields)[0]))

    def settings(self) -> dict[str, Any]:
        """Plain JSON data; demonstrations, or the pool they come from, once fitted."""
        drawn = self.demonstrations
        found: dict[str, Any] = {
            "template": self.template.settings(),
            "choice": dict(vars(self.demonstration_config)),
            "demonstrations": None
            if drawn is None
            else [{"fields": dict(d.fields), "answer": d.answer} for d in drawn],
        }
        return (
            found
            if self.nearest_demonstrations is None
            else found | {"pool": self.nearest_demonstrations.settings()}
        )

    def predict_zero_shot(
        self, train: Sequence[Example], examples: Sequence[Example]
    ) -> Predictions:
        """What is predicted for ``examples`` without any demonstration."""
        bare = dict(vars(DemonstrationConfig()))
        made = type(self).from_settings(
            self.settings() | {"choice": bare, "demonstrations": [], "prior": None}, self.model
        )
        return made.fit(train).predict(examples)

    def label_scores(
        self, shown: Sequence[Sequence[Example]], examples: Sequence[Example]
    ) -> Float[np.ndarray, "shown example label"]:
        """Label log-probabilities in nats after each of several rows of demonstrations.

        Raises `InputError` for a predictor that scores no labels.
        """
        raise InputError(
            f"the order {self.demonstration_config.order} goes by the probabilities of labels, and "
            f"{type(self).__name__} writes its answers; use random, grouped, alternating or given"
        )

    def label_columns(self, examples: Sequence[Example]) -> list[int]:
        """The columns of the examples' own labels in `label_scores`."""
        raise InputError(f"{type(self).__name__} scores no labels")

    def _render(
        self, examples: Sequence[Example], demonstrations: Sequence[Sequence[Demonstration]]
    ) -> list[Prompt]:
        reserve, placement = self._reserve(), self.demonstration_config.placement
        return [
            render_truncated(self.template, example, shown, self.model, reserve, placement)
            for example, shown in zip(examples, demonstrations, strict=True)
        ]

    def _render_demonstrations(self, examples: Sequence[Example]) -> list[Demonstration]:
        return [Demonstration(e.fields, self._answer(str(e.label))) for e in examples]

    def _select_demonstrations(self, train: Sequence[Example]) -> None:
        if self.demonstration_config.per_input and self.demonstration_config.count:
            pool = require_labelled(train, self.demonstration_config.count)
            self.nearest_demonstrations = NearestDemonstrations(
                self.demonstration_config, pool, self.fields, self.model
            )
        else:
            self.demonstrations = self._render_demonstrations(
                select_demonstrations(self.demonstration_config, train, self)
            )

    def _restore(self, settings: Mapping[str, Any]) -> None:
        """Take over the demonstrations that `settings` kept."""
        if settings["demonstrations"] is not None:
            self.demonstrations = [Demonstration(**d) for d in settings["demonstrations"]]
        if settings.get("pool") is not None:
            self.nearest_demonstrations = NearestDemonstrations.from_settings(
                settings["pool"], self.demonstration_config, self.fields, self.model
            )

    def _check_placement(self, needs: Capability) -> None:
        """Refuse demonstrations behind the slot where nothing would read them."""
        if (
            self.demonstration_config.placement == "before"
            or not self.demonstration_config.count
            or self.template.has_separate_cue
        ):
            return
        unread = needs == "generate" and self.model.family != "seq2seq"
        if unread or self.template.chat:
            what = (
                "a chat prompt ends at its slot"
                if self.template.chat
                else (f"{self.model.name} writes its reply before it reads on")
            )
            raise InputError(
                f"placement after puts the demonstrations behind the slot of this template, and "
                f"{what}; use an instruction template whose cue holds the slot, or before"
            )
