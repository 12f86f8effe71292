"""A label as a point among the slot's feature vectors: the mean of its training examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import not_fitted_error
from promptlab.predictors.slot_classifier import SlotClassifier, SlotScorer
from promptlab.prompts.template import Template

_SHRINKAGE = 0.1
"""So large a share of a feature's scale is the mean scale of all: few examples tell one badly."""
_SHARPNESS = tuple(2.0**power for power in range(-6, 9))
"""What distances may be multiplied by to become log-probabilities."""


@dataclass(frozen=True, eq=False)
class Prototypes(SlotScorer):
    """The points of the labels, and how distances from them are measured.

    Args:
        points: ``[label, dim]``, the means of the features of every label's examples.
        scale: ``[dim]``, the root mean square deviation of a feature within its label.
        sharpness: What a squared distance is multiplied by, its sign changed.
    """

    points: Float[np.ndarray, "label dim"]
    scale: Float[np.ndarray, " dim"]
    sharpness: float

    @property
    def width(self) -> int:
        """How many numbers a feature has."""
        return int(self.points.shape[1])

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


class PrototypeClassifier(SlotClassifier):
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
        super().__init__(template, model)
        self.prototypes: Prototypes | None = None

    def fit_examples(self, train: Sequence[Example], dev: Sequence[Example]) -> None:
        """Find the labels' points. Raises `InputError` for fewer than two labels."""
        labelled, self.labels, targets = self._labelled(train)
        features = self.model.features(self._prompts(labelled))
        self.prototypes = Prototypes.learn(features, targets, len(self.labels))

    def _scorer(self) -> Prototypes:
        if self.prototypes is None:
            raise not_fitted_error("the labels' prototypes are means of examples")
        return self.prototypes

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


def _log_softmax(scores: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "row column"]:
    shifted: Float[np.ndarray, "row column"] = scores - np.logaddexp.reduce(
        scores, axis=1, keepdims=True
    )
    return shifted
