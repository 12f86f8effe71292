"""What a candidate is worth to a vote: the right answers that a group gets by it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

Answers = Sequence[str | None]


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


def vote_shares(
    answers: Mapping[int, Answers], targets: Answers, members: int, draws: int,
    chance: random.Random,
) -> dict[int, float]:  # fmt: skip
    """What each candidate adds to the accuracy of groups that vote, on average; at least 0.

    For every candidate ``draws`` groups of others are drawn, and each votes with it and without it.
    Candidates that are chosen so evolve for the vote and not for themselves (C-Evolve, 2025).

    Args:
        answers: Of the same examples, by the number of the candidate.
        targets: The right labels.
        members: How many vote, the candidate among them.
        draws: Groups for each candidate.
        chance: Draws them.

    Returns:
        The gains by number.

    Example:
        >>> answers = {1: "aab", 2: "aab", 3: "bba"}
        >>> vote_shares(answers, "aaa", 3, 20, random.Random(1))[3]
        0.0
    """
    found = {}
    for number, own in answers.items():
        others = [other for other in answers if other != number]
        size = min(members - 1, len(others))
        gains = []
        for _ in range(draws if size else 0):
            group = [answers[other] for other in sorted(chance.sample(others, size))]
            gains.append(vote_accuracy([own, *group], targets) - vote_accuracy(group, targets))
        found[number] = max(0.0, sum(gains) / len(gains)) if gains else 0.0
    return found
