"""Texts with a teacher's label probabilities, for a head to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.example import Example
from promptlab.head import HeadTexts
from promptlab.tuning.exercises import Scored
from promptlab.tuning.head import HeadExercises


class SoftLabelled(HeadExercises):
    """Cross-entropy to soft ``targets`` ``[example, label]`` (Hinton et al. 2015).

    The examples need no labels; their most probable ones stand in for them.
    """

    def __init__(
        self,
        texts: HeadTexts,
        labels: Sequence[str],
        examples: Sequence[Example],
        targets: Float[np.ndarray, "example label"],
    ) -> None:
        likely = [labels[int(place)] for place in targets.argmax(axis=1)]
        pairs = zip(examples, likely, strict=True)
        super().__init__(texts, labels, [replace(e, label=label) for e, label in pairs])
        self.targets = torch.tensor(targets, dtype=torch.float32)

    def losses(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, " example"]:
        """Cross-entropy to the teacher's probabilities, in nats."""
        scores = self.scores(numbers, scored, mixture)
        return -(self.targets[list(numbers)].to(scores.device) * scores).sum(-1)


def softened(
    scores: Float[np.ndarray, "example label"], temperature: float
) -> Float[np.ndarray, "example label"]:
    """Probabilities of log-probabilities at a temperature: p^(1/T), normalised."""
    logits = scores / temperature
    logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return np.exp(logits)
