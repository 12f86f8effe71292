"""Several soft prompts for one template, mixed with learned weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.evaluation.predictions import Predictions
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier


class MixtureClassifier(Predictor):
    """p(y|x) = sum over m of w_m p(y|x, prompt m) (Qin & Eisner 2021).

    ``classifier``'s model carries the vectors of all members one after the other; ``weights``
    sum to 1.
    """

    def __init__(self, classifier: PromptClassifier, weights: Sequence[float]) -> None:
        self.classifier = classifier
        self.weights = tuple(weights)
        self.model = classifier.model
        self.members = [self._member(part) for part in split_members(self.model, len(self.weights))]

    def _member(self, model: LanguageModel) -> PromptClassifier:
        whole = self.classifier
        made = PromptClassifier(whole.template, whole.verbalizer, model)
        made.demonstrations = whole.demonstrations
        return made

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.classifier.fields

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of `predict_proba`'s columns."""
        return self.classifier.labels

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example; tokens and seconds are those of all members."""
        rows = as_examples(examples, self.fields)
        tables = [member.predict(rows) for member in self.members]
        return Predictions(self._mix(found) for found in zip(*tables, strict=True))

    def _mix(self, found: Sequence[Any]) -> Any:
        logs = np.array([list((row.scores or {}).values()) for row in found])
        mixed = np.log(np.array(self.weights) @ np.exp(logs))
        return replace(
            found[0],
            label=self.labels[int(np.argmax(mixed))],
            scores=dict(zip(self.labels, map(float, mixed), strict=True)),
            tokens_in=sum(row.tokens_in for row in found),
            tokens_out=sum(row.tokens_out for row in found),
            seconds=sum(row.seconds for row in found),
        )

    def example_prompt(self, example: Input) -> str:
        """The prompt of any member: they differ in their vectors alone."""
        return self.classifier.example_prompt(example)

    def settings(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"classifier": self.classifier.settings(), "weights": list(self.weights)}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        classifier = PromptClassifier.from_settings(settings["classifier"], model)
        return cls(classifier, settings["weights"])


def split_members(model: LanguageModel, members: int) -> list[LanguageModel]:
    """The model once for each member, with that member's vectors."""
    assert isinstance(model, LocalModel)
    assert model.learned is not None
    assert model.learned.vectors is not None
    whole = model.learned
    size = len(whole.soft) // members
    return [
        model.base.with_learned_parts(
            LearnedParts(table, whole.soft[:size], whole.triggers, whole.prefix)
        )
        for table in model.learned.vectors.chunk(members)
    ]
