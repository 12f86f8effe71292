"""How sure a member must be that no dearer one is asked, found on labelled examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from promptlab.predictors.ensemble.votes import MemberVotes

Measure = Literal["margin", "probability"]
NEVER, ALWAYS = 0.0, 1.5
"""Thresholds by which nobody who has answered is unsure, and everybody is."""
_MOST_TRIED = 5000


def confidence(found: MemberVotes, member: int, measure: Measure) -> float:
    """A member's probability of its label, or its margin over the next; -1 where it abstained."""
    if found.votes[member] < 0:
        return -1.0
    ordered = np.sort(found.probabilities[member])[::-1]
    if measure == "probability" or len(ordered) < 2:
        return float(ordered[0])
    return float(ordered[0] - ordered[1])


@dataclass(frozen=True, eq=False)
class CascadeStages:
    """Members in the order in which they are asked, on labelled examples.

    ``confidence`` ``[example, member]`` by `confidence`, ``correct`` and ``tokens`` likewise.
    """

    confidence: Float[np.ndarray, "example member"]
    correct: Bool[np.ndarray, "example member"]
    tokens: Float[np.ndarray, "example member"]

    def __getitem__(self, chosen: Bool[np.ndarray, " example"]) -> CascadeStages:
        return CascadeStages(self.confidence[chosen], self.correct[chosen], self.tokens[chosen])

    def outcome(self, thresholds: Sequence[float]) -> tuple[float, float]:
        """Accuracy and mean tokens of the cascade with these thresholds."""
        waiting = np.ones(len(self.confidence), dtype=bool)
        right = np.zeros(len(self.confidence), dtype=bool)
        tokens = np.zeros(len(self.confidence))
        for stage in range(self.confidence.shape[1]):
            answered = waiting & (self.confidence[:, stage] >= 0)
            right[answered] = self.correct[answered, stage]
            tokens[waiting] += self.tokens[waiting, stage]
            if stage < len(thresholds):
                waiting = waiting & (self.confidence[:, stage] < max(thresholds[stage], NEVER))
        return float(right.mean()), float(tokens.mean())


def tune_thresholds(stages: CascadeStages, target: float | Literal["best"]) -> tuple[float, ...]:
    """The thresholds of all stages but the last.

    *best*: the greatest accuracy, among equals the fewest tokens. A number: the fewest tokens
    with an accuracy of at least that, or the best where none reaches it. All combinations of some
    quantiles of the members' own sureness are tried, at most 5,000.
    """
    steps = stages.confidence.shape[1] - 1
    if steps == 0:
        return ()
    size = max(3, min(22, int(_MOST_TRIED ** (1 / steps))))
    grids = [_grid(stages.confidence[:, stage], size - 2) for stage in range(steps)]
    best: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    for thresholds in product(*grids):
        accuracy, tokens = stages.outcome(thresholds)
        value = (accuracy, -tokens)
        if target != "best":
            reached = accuracy >= target
            value = (1.0, -tokens) if reached else (accuracy - 1.0, -tokens)
        if best is None or value > best[0]:
            best = (value, thresholds)
    assert best is not None
    return best[1]


def _grid(sure: Float[np.ndarray, " example"], size: int) -> list[float]:
    """Values between which the examples lie, from nobody unsure to everybody."""
    known = np.unique(sure[sure >= 0])
    between = (known[1:] + known[:-1]) / 2
    if len(between) > size:
        between = between[np.linspace(0, len(between) - 1, size).round().astype(int)]
    return [NEVER, *map(float, between), ALWAYS]
