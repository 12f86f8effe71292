"""Which instructions the next proposal is made from."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np

Number = int | float


def pareto_shares(scores: Mapping[int, Sequence[Number]]) -> dict[int, int]:
    """How many examples each candidate leads, of those that no other one makes superfluous.

    For every example the candidates with its best score form its front. A candidate is dropped
    while each of its fronts holds another one that is left, the worst by its mean first, so that
    every example keeps somebody who leads it (Agrawal et al. 2025, GEPA, algorithm 2).

    Args:
        scores: The scores of the same examples by the number of the candidate; larger is better.

    Returns:
        For each candidate that is left, the number of examples whose front it is in.

    Example:
        >>> pareto_shares({1: [1, 1, 0], 2: [1, 0, 0], 3: [0, 0, 1]})
        {1: 2, 3: 1}
    """
    if not scores:
        return {}
    table = np.array(list(scores.values()), dtype=float)
    numbers = list(scores)
    leads = table == table.max(axis=0)
    left = set(range(len(numbers)))
    for row in sorted(left, key=lambda row: (table[row].mean(), -row)):
        others = sorted(left - {row})
        if others and leads[others][:, leads[row]].any(axis=0).all():
            left.remove(row)
    return {numbers[row]: int(leads[row].sum()) for row in sorted(left)}


def draw_by_share(shares: Mapping[int, Number], chance: random.Random) -> int:
    """One of the candidates, in proportion to its share; evenly where all shares are 0.

    Example:
        >>> draw_by_share({4: 0, 7: 2}, random.Random(1))
        7
    """
    numbers = list(shares)
    weights = [max(0.0, float(shares[number])) for number in numbers]
    if not any(weights):
        return chance.choice(numbers)
    return chance.choices(numbers, weights=weights)[0]
