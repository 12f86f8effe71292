"""A classification head in training, on a frozen network or together with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from promptlab.data.example import Example
from promptlab.engine.scoring.embedding import TextEmbedder
from promptlab.models.learned_parts import LearnedParts
from promptlab.predictors.head import HeadTexts
from promptlab.tuning.objectives import (
    LabelledObjective,
    Scored,
    TrainingExample,
    TrainingObjective,
)
from promptlab.tuning.trainer_state import TrainState
from promptlab.tuning.weight_updates import WeightParameters

START = 0.02
"""Standard deviation of a new head's weights (Devlin et al. 2019)."""


class HeadParameters(WeightParameters):
    """A linear layer on hidden states of ``width``, and the network's ``weights`` if any are.

    ``scale`` is the head's learning rate as a multiple of the weights'.
    """

    def __init__(
        self,
        labels: int,
        width: int,
        *,
        seed: int,
        device: torch.device,
        weights: Sequence[nn.Parameter] = (),
        scale: float = 1.0,
    ) -> None:
        super().__init__(weights, soft_scale=scale)
        drawn = torch.randn((labels, width), generator=torch.Generator().manual_seed(seed))
        self.head = nn.Parameter((drawn * START).to(device))
        self.bias = nn.Parameter(torch.zeros(labels, device=device))

    def logits(self, states: Float[Tensor, "row dim"]) -> Float[Tensor, "row label"]:
        """The labels' scores, not normalised."""
        return states @ self.head.T + self.bias

    @torch.no_grad()
    def learned(self, facts: dict[str, Any] | None = None) -> list[LearnedParts]:
        """The head as it is now."""
        (made,) = super().learned(facts)
        return [replace(made, head=_copied(self.head), head_bias=_copied(self.bias))]


class HeadObjective(LabelledObjective):
    """Labelled texts; what is scored of each is its labels' logits."""

    def __init__(
        self, texts: HeadTexts, labels: Sequence[str], examples: Sequence[Example]
    ) -> None:
        self.labels = tuple(labels)
        self.ids = texts.token_ids(examples)
        made = [
            TrainingExample(example, (), self.labels.index(str(example.label)), len(ids))
            for example, ids in zip(examples, self.ids, strict=True)
        ]
        super().__init__(made, start=0, shares=False)

    @property
    def normalised(self) -> bool:
        """Logits are made into probabilities here."""
        return False

    def scores(
        self, numbers: Sequence[int], scored: Sequence[Scored], mixture: Tensor | None
    ) -> Float[Tensor, "example label"]:
        """Log-probabilities of the labels in nats."""
        return torch.stack([logits for (logits,) in scored]).log_softmax(-1)


class HeadTrainer:
    """Takes a head's steps over one reader; on a ``frozen`` network states are read once."""

    def __init__(self, reader: TextEmbedder, *, frozen: bool) -> None:
        self.reader = reader
        self.frozen = frozen
        self._known: dict[tuple[int, ...], Tensor] = {}

    def step(self, trainees: Sequence[TrainState]) -> list[float | Exception]:
        """One step for each; its loss (mean over its batch, nats), or why it was given up."""
        return [self._step(trainee) for trainee in trainees]

    def _step(self, trainee: TrainState) -> float | Exception:
        exercises, learner = _head_parts(trainee, trainee.train)
        batch = trainee.batch()
        leaves = [parameter for group, _ in learner.groups() for parameter in group]
        sums = [torch.zeros_like(leaf) for leaf in leaves]
        total = 0.0

        def work(places: list[int]) -> None:
            nonlocal total
            numbers = [batch[place] for place in places]
            scored = self._scored(learner, exercises, numbers)
            loss = exercises.losses(numbers, scored, None).sum() / len(batch)
            gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
            total += float(loss.detach())
            for kept, gradient in zip(sums, gradients, strict=True):
                if gradient is not None:
                    kept += gradient

        self.reader.budget.run([len(exercises.ids[n]) for n in batch], work)
        try:
            trainee.step(total, list(zip(leaves, sums, strict=True)))
        except Exception as error:
            return error
        return total

    @torch.no_grad()
    def scores(self, trainee: TrainState, exercises: TrainingObjective) -> tuple[np.ndarray, float]:
        """Label log-probabilities ``[example, label]`` and the mean loss in nats."""
        ours, learner = _head_parts(trainee, exercises)
        table = np.zeros((len(ours), len(ours.labels)))
        losses = np.zeros(len(ours))

        def work(numbers: list[int]) -> None:
            scored = self._scored(learner, ours, numbers)
            table[numbers] = ours.scores(numbers, scored, None).cpu().double().numpy()
            losses[numbers] = ours.losses(numbers, scored, None).cpu().numpy()

        self.reader.budget.run([len(ids) for ids in ours.ids], work)
        return table, float(losses.mean())

    def _scored(
        self, learner: HeadParameters, exercises: HeadObjective, numbers: Sequence[int]
    ) -> list[Scored]:
        rows = [exercises.ids[number] for number in numbers]
        states = self._kept(rows) if self.frozen else self.reader.embed_with_graph(rows)
        return [[logits] for logits in learner.logits(states)]

    def _kept(self, rows: Sequence[tuple[int, ...]]) -> Float[Tensor, "row dim"]:
        new = [row for row in dict.fromkeys(rows) if row not in self._known]
        if new:
            self._known |= dict(zip(new, self.reader.embed(new), strict=True))
        return torch.stack([self._known[row] for row in rows]).to(self.reader.network.device)


def _head_parts(
    trainee: TrainState, exercises: TrainingObjective
) -> tuple[HeadObjective, HeadParameters]:
    assert isinstance(exercises, HeadObjective)
    assert isinstance(trainee.learner, HeadParameters)
    return exercises, trainee.learner


def _copied(parameter: nn.Parameter) -> Tensor:
    return parameter.detach().cpu().clone()


class SoftLabelObjective(HeadObjective):
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


def soften_probabilities(
    scores: Float[np.ndarray, "example label"], temperature: float
) -> Float[np.ndarray, "example label"]:
    """Probabilities of log-probabilities at a temperature: p^(1/T), normalised."""
    logits = scores / temperature
    logits = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return np.exp(logits)
