"""Base of classifiers that tell labels apart by the feature vector of the answer slot."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.base import Predictor
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template

_RESERVE = 1
"""One token of the window is kept free for the slot."""


class SlotScorer(ABC):
    """What a `SlotClassifier` has learned: features of a width become labels' log-probabilities."""

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers a feature has."""

    @abstractmethod
    def log_probabilities(
        self, features: Float[np.ndarray, "example dim"]
    ) -> Float[np.ndarray, "example label"]:
        """Log-probabilities of the labels in nats, normalised over them."""


class SlotClassifier(Predictor, register=False):
    """A template, a model that gives features, and labels; what it learns reads features alone.

    Args:
        template: A template, or its text with fields and the slot ``{mask}``.
        model: A model that gives features, or its name.

    Raises:
        CapabilityError: For a model that gives no features.

    Example:
        >>> from promptlab.predictors import PrototypeClassifier
        >>> from promptlab.predictors.slot_classifier import SlotClassifier
        >>> issubclass(PrototypeClassifier, SlotClassifier)
        True
    """

    def __init__(self, template: Template | str, model: LanguageModel | str) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.model = as_model(model)
        self.model.require("features")
        self.labels: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    @abstractmethod
    def _scorer(self) -> SlotScorer:
        """What was learned. Raises `NotFittedError` if nothing was."""

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, with label log-probabilities in nats."""
        scorer = self._scorer()
        rows = as_examples(examples, self.fields)
        if not rows:
            return Predictions()
        started = time.perf_counter()
        prompts = self._prompts(rows)
        features = self.model.features(prompts)
        if features.shape[1] != scorer.width:
            raise InputError(
                f"the labels were learned among features of width {scorer.width}, and those of "
                f"{self.model.name} have width {features.shape[1]}; use the model that they were "
                "learned on"
            )
        scores = scorer.log_probabilities(features)
        seconds = (time.perf_counter() - started) / len(rows)
        return Predictions(
            Prediction(
                example_id=row.id,
                label=self.labels[int(np.argmax(found))],
                target=row.label,
                scores={k: float(v) for k, v in zip(self.labels, found, strict=True)},
                tokens_in=self.model.count_tokens(prompt),
                seconds=seconds,
                trace=truncation_record(prompt),
            )
            for row, found, prompt in zip(rows, scores, prompts, strict=True)
        )

    def example_prompt(self, example: Input) -> str:
        """The prompt for one example as a reader sees it, ``{mask}`` in the slot."""
        (prompt,) = self._prompts(as_examples([example], self.fields))
        return self.model.display(prompt)

    def _labelled(
        self, train: Sequence[Example]
    ) -> tuple[list[Example], tuple[str, ...], Int[np.ndarray, " example"]]:
        """The examples that have a label, their labels by the alphabet, and each one's number."""
        labelled = [example for example in train if example.label is not None]
        labels = tuple(sorted({str(example.label) for example in labelled}))
        if len(labels) < 2:
            raise InputError(
                f"labels are told apart, and the examples have {len(labels)}; give examples of two "
                "labels or more"
            )
        numbers = {label: number for number, label in enumerate(labels)}
        targets = np.array([numbers[str(example.label)] for example in labelled], dtype=np.int64)
        return labelled, labels, targets

    def _prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        return [
            render_truncated(self.template, example, (), self.model, _RESERVE)
            for example in examples
        ]
