"""What a candidate is worth to a vote: the right answers that a group gets by it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Answers = Sequence[str | None]
Member = TypeVar("Member")
"""What a group's value is reckoned from, of one of its members."""


def vote_accuracy(answers: Sequence[Answers], targets: Answers) -> float:
    """The share of examples that most of a group get right; of equal counts the first one decides.

    Args:
        answers: What every member says of every example; ``None`` is no vote.
        targets: The right labels.

    Example:
        >>> vote_accuracy([["a", "b"], ["a", "b"], ["b", "a"]], ["a", "a"])
        0.5
    """
    right = 0
    for place, target in enumerate(targets):
        votes = Counter(member[place] for member in answers if member[place] is not None)
        right += bool(votes) and votes.most_common(1)[0][0] == target
    return right / len(targets) if targets else 0.0


def mean_quality(probabilities: Sequence[Sequence[float]]) -> float:
    """How good a group's mean probability of the right label is: 1 - (1 - p)², over the examples.

    Of two groups of equal means the one whose members are unsure of different examples is better;
    no one member's share in that is lost to ties, as it may be by votes.

    Args:
        probabilities: What every member gives to the right label of every example.

    Example:
        >>> mean_quality([[1.0, 0.0], [0.0, 1.0]]), mean_quality([[1.0, 0.0], [1.0, 0.0]])
        (0.75, 0.5)
    """
    means = [sum(column) / len(column) for column in zip(*probabilities, strict=True)]
    return sum(1 - (1 - mean) ** 2 for mean in means) / len(means) if means else 0.0


def vote_shares(
    answers: Mapping[int, Member], value: Callable[[Sequence[Member]], float], members: int,
    draws: int, chance: random.Random,
) -> dict[int, float]:  # fmt: skip
    """What each candidate adds to the value of groups that decide together; at least 0.

    For every candidate ``draws`` groups of others are drawn, and each votes with it and without it.
    Candidates that are chosen so evolve for the vote and not for themselves (C-Evolve, 2025).

    Args:
        answers: Of the same examples, by the number of the candidate.
        value: Of a group: `vote_accuracy` for its votes, or `mean_quality`.
        members: How many vote, the candidate among them.
        draws: Groups for each candidate.
        chance: Draws them.

    Returns:
        The gains by number.

    Example:
        >>> answers = {1: "aab", 2: "aab", 3: "bba"}
        >>> vote = lambda group: vote_accuracy(group, "aaa")
        >>> vote_shares(answers, vote, 3, 20, random.Random(1))[3]
        0.0
    """
    found = {}
    for number, own in answers.items():
        others = [other for other in answers if other != number]
        size = min(members - 1, len(others))
        gains = []
        for _ in range(draws if size else 0):
            group = [answers[other] for other in sorted(chance.sample(others, size))]
            gains.append(value([own, *group]) - value(group))
        found[number] = max(0.0, sum(gains) / len(gains)) if gains else 0.0
    return found
