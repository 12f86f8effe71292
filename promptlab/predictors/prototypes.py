"""A label as a point among the slot's feature vectors: the mean of its training examples."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.data.inputs import Input, Inputs, as_examples
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.models.pool import as_model
from promptlab.predictors.base import Predictor, not_fitted_error
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template

_RESERVE = 1
"""One token of the window is kept free for the slot."""
_SHRINKAGE = 0.1
"""So large a share of a feature's scale is the mean scale of all: few examples tell one badly."""
_SHARPNESS = tuple(2.0**power for power in range(-6, 9))
"""What distances may be multiplied by to become log-probabilities."""


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The points of the labels, and how distances from them are measured.

    Args:
        points: ``[label, dim]``, the means of the features of every label's examples.
        scale: ``[dim]``, the root mean square deviation of a feature within its label.
        sharpness: What a squared distance is multiplied by, its sign changed.
    """

    points: Float[np.ndarray, "label dim"]
    scale: Float[np.ndarray, " dim"]
    sharpness: float

    @classmethod
    def learn(
        cls,
        features: Float[np.ndarray, "example dim"],
        targets: Int[np.ndarray, " example"],
        classes: int,
    ) -> Prototypes:
        """The prototypes of labelled features.

        The sharpness is the one under which the right labels of the examples are likeliest, each
        judged by prototypes that it has no part in.
        """
        features = features.astype(np.float64)
        points = np.stack([features[targets == label].mean(axis=0) for label in range(classes)])
        within = ((features - points[targets]) ** 2).mean(axis=0)
        within = (1 - _SHRINKAGE) * within + _SHRINKAGE * within.mean()
        scale = np.sqrt(within) if within.any() else np.ones(features.shape[1])
        made = cls(points, scale, 1.0)
        distances = made.distances(features)
        counts = np.bincount(targets, minlength=classes)[targets]
        rows = np.arange(len(targets))
        # Without an example its label's mean lies n / (n - 1) times as far from it.
        alone = counts > 1
        factor = np.where(alone, counts / np.maximum(counts - 1, 1), 1.0) ** 2
        distances[rows, targets] *= factor
        if not alone.any():
            return made
        likely = [
            _log_softmax(-sharpness * distances)[rows, targets][alone].mean()
            for sharpness in _SHARPNESS
        ]
        return cls(points, scale, _SHARPNESS[int(np.argmax(likely))])

    def distances(
        self, features: Float[np.ndarray, "example dim"]
    ) -> Float[np.ndarray, "example label"]:
        """Mean squared distances of features from every label's point, in units of the scale."""
        found = [(((features - point) / self.scale) ** 2).mean(axis=1) for point in self.points]
        return np.stack(found, axis=1)

    def log_probabilities(
        self, features: Float[np.ndarray, "example dim"]
    ) -> Float[np.ndarray, "example label"]:
        """Log-probabilities of the labels in nats, normalised over them."""
        return _log_softmax(-self.sharpness * self.distances(features.astype(np.float64)))


class PrototypeClassifier(Predictor):
    """The label whose training examples lie nearest on average at the answer slot, without words.

    ProtoVerb's verbalizer (Cui et al. 2022) without its contrastive training: a label is the mean
    of its examples' slot features. Nothing goes through the model but the prompts themselves.

    Args:
        template: A template, or its text with fields and the slot ``{mask}``.
        model: A model that gives features, or its name.

    Raises:
        CapabilityError: For a model that gives no features.

    Example:
        >>> from promptlab.predictors import PrototypeClassifier
        >>> texts = ["A dull plot.", "A fine film.", "An awful bore.", "Great fun."]
        >>> classifier = PrototypeClassifier("{text} It was {mask}.", model)
        >>> rows = classifier.fit(texts, ["bad", "good"] * 2).predict(texts)
        >>> rows.labels
        ['bad', 'good', 'bad', 'good']
    """

    def __init__(self, template: Template | str, model: LanguageModel | str) -> None:
        self.template = Template(template) if isinstance(template, str) else template
        self.model = as_model(model)
        self.model.require("features")
        self.labels: tuple[str, ...] = ()
        self.prototypes: Prototypes | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """The example fields that the template reads."""
        return self.template.fields

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Find the labels' points. Raises `InputError` for fewer than two labels."""
        labelled = [example for example in train if example.label is not None]
        labels = tuple(sorted({str(example.label) for example in labelled}))
        if len(labels) < 2:
            raise InputError(
                f"prototypes tell labels apart, and the examples have {len(labels)}; give examples "
                "of two labels or more"
            )
        numbers = {label: number for number, label in enumerate(labels)}
        targets = np.array([numbers[str(example.label)] for example in labelled], dtype=np.int64)
        features = self.model.features(self._prompts(labelled))
        self.labels = labels
        self.prototypes = Prototypes.learn(features, targets, len(labels))

    def predict(self, examples: Inputs) -> Predictions:
        """One prediction an example, with label log-probabilities in nats."""
        if self.prototypes is None:
            raise not_fitted_error("the labels' prototypes are means of examples")
        rows = as_examples(examples, self.fields)
        if not rows:
            return Predictions()
        started = time.perf_counter()
        prompts = self._prompts(rows)
        features = self.model.features(prompts)
        _check_width(self.prototypes, features.shape[1], self.model)
        scores = self.prototypes.log_probabilities(features)
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

    def settings(self) -> dict[str, Any]:
        """Plain JSON data, with the labels' points once they are found."""
        known = self.prototypes
        return {
            "template": self.template.settings(),
            "labels": list(self.labels),
            "points": None if known is None else known.points.tolist(),
            "scale": None if known is None else known.scale.tolist(),
            "sharpness": None if known is None else known.sharpness,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        """The inverse of `settings`."""
        made = cls(Template.from_settings(settings["template"]), model)
        made.labels = tuple(settings["labels"])
        if settings["points"] is not None:
            points, scale = np.array(settings["points"]), np.array(settings["scale"])
            made.prototypes = Prototypes(points, scale, float(settings["sharpness"]))
        return made

    def _prompts(self, examples: Sequence[Example]) -> list[Prompt]:
        return [
            render_truncated(self.template, example, (), self.model, _RESERVE)
            for example in examples
        ]


def _check_width(known: Prototypes, width: int, model: LanguageModel) -> None:
    if known.points.shape[1] != width:
        raise InputError(
            f"the prototypes are points among features of width {known.points.shape[1]}, and "
            f"those of {model.name} have width {width}; use the model that they were learned on"
        )


def _log_softmax(scores: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    shifted: Float[np.ndarray, "row column"] = scores - np.logaddexp.reduce(
        scores, axis=1, keepdims=True
    )
    return shifted
