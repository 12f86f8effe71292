"""How several answers to one question become one: votes by count, probability or likeness."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from promptlab.errors import InputError
from promptlab.predictors.model_calls import StrategyResult
from promptlab.predictors.retrieval import split_words

VoteRule = Literal["majority", "weighted", "semantic", "overlap"]
MAX_NGRAM_WORDS = 2
"""N-grams of one to so many words are compared."""
SMOOTHING = 1e-3
"""What a label without a vote counts, so that its log-probability is a number."""


@dataclass(frozen=True)
class SampledAnswer:
    """One sampled answer. ``weight`` is its probability by token, if the model tells it."""

    label: str
    weight: float | None = None

    @classmethod
    def of(cls, outcome: StrategyResult) -> SampledAnswer:
        """The geometric mean of the tokens' probabilities weighs it (Wang et al. 2022)."""
        assert outcome.label is not None
        if outcome.logprob is None or not outcome.tokens:
            return cls(outcome.label)
        return cls(outcome.label, math.exp(outcome.logprob / outcome.tokens))


def majority_vote(ballots: Sequence[SampledAnswer]) -> dict[str, float]:
    """How often each label was answered."""
    return {label: float(n) for label, n in Counter(b.label for b in ballots).items()}


def weighted_vote(ballots: Sequence[SampledAnswer]) -> dict[str, float]:
    """The sum of the weights of each label's answers. Raises `InputError` if there are none."""
    totals: dict[str, float] = {}
    for ballot in ballots:
        if ballot.weight is None:
            raise InputError(
                "votes are weighted by the probability of what was generated, and this model does "
                "not tell it; use vote majority"
            )
        totals[ballot.label] = totals.get(ballot.label, 0.0) + ballot.weight
    return totals


def overlap_vote(ballots: Sequence[SampledAnswer]) -> dict[str, float]:
    """How much each label's words agree with all other answers, on average.

    The answer of least expected loss where 1 - F1 of n-grams is the loss: minimum Bayes risk, the
    consensus of Jain et al. 2024 with words' counts.
    """
    if len(ballots) == 1:
        return {ballots[0].label: 1.0}
    totals: dict[str, float] = {}
    for index, ballot in enumerate(ballots):
        if ballot.label not in totals:
            others = [b for place, b in enumerate(ballots) if place != index]
            alike = [overlap(ballot.label, other.label) for other in others]
            totals[ballot.label] = sum(alike) / len(alike)
    return totals


def overlap(first: str, second: str) -> float:
    """Mean F1 of the n-grams of one and two words, in [0, 1]; texts without words by equality."""
    one, two = split_words(first), split_words(second)
    if not one or not two:
        return float(first.strip() == second.strip())
    values = []
    for length in range(1, MAX_NGRAM_WORDS + 1):
        a, b = _grams(one, length), _grams(two, length)
        if a or b:
            values.append(2 * (a & b).total() / (a.total() + b.total()))
    return sum(values) / len(values)


def cluster_vote(
    ballots: Sequence[SampledAnswer], cosines: Float[np.ndarray, "ballot ballot"], least: float
) -> dict[str, float]:
    """Votes for groups of answers that mean the same, under the answer nearest its group's others.

    Two answers are in a group if their cosine is ``least`` or more, or a chain of such leads from
    one to the other.
    """
    same = np.array([[a.label == b.label for b in ballots] for a in ballots])
    totals: dict[str, float] = {}
    for members in _groups((cosines >= least) | same):
        means = cosines[np.ix_(members, members)].mean(axis=1)
        nearest = members[int(np.argmax(np.round(means, 9)))]
        totals[ballots[nearest].label] = float(len(members))
    return totals


def winner(totals: dict[str, float], ballots: Sequence[SampledAnswer]) -> str:
    """The label with the most; ties go to the larger summed weight, then to the first answered."""
    weights: dict[str, float] = {}
    for ballot in ballots:
        weights[ballot.label] = weights.get(ballot.label, 0.0) + (ballot.weight or 0.0)
    order = list(weights)
    return max(totals, key=lambda label: (totals[label], weights[label], -order.index(label)))


def log_shares(totals: dict[str, float], labels: Sequence[str]) -> dict[str, float]:
    """Log-shares of the votes in nats; of all ``labels`` where they are known, in their order."""
    known = dict.fromkeys(labels, 0.0) | totals if labels else totals
    spare = SMOOTHING if labels else 0.0
    whole = sum(known.values()) + spare * len(known)
    if whole == 0.0:  # answers that agree with none
        return {label: -math.log(len(known)) for label in known}
    return {
        label: math.log((value + spare) / whole)
        for label, value in known.items()
        if value + spare > 0
    }


def _grams(tokens: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1))


def _groups(linked: Bool[np.ndarray, "ballot ballot"]) -> list[list[int]]:
    """Connected components, in the order of their first members."""
    left = list(range(len(linked)))
    groups = []
    while left:
        group, waiting = {left[0]}, [left[0]]
        while waiting:
            place = waiting.pop()
            found = [int(other) for other in np.flatnonzero(linked[place]) if other not in group]
            group.update(found)
            waiting += found
        groups.append(sorted(group))
        left = [place for place in left if place not in group]
    return groups
