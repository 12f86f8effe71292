"""Which candidates may still be parents: those that not too many others are shown to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptlab.evaluation.sequential_testing import PairedSequentialTest


def surviving_candidates(
    values: Mapping[int, Sequence[float]],
    population: int,
    alpha: float = 0.05,
    largest: float = 1.0,
) -> list[int]:
    """The candidates that fewer than ``population`` others are shown to be better than.

    All are compared on the examples that they have in common, in their order, by a paired test that
    holds whenever somebody looks. What is left out are candidates; the examples stay all (Zehle et
    al. 2025, CAPO, algorithm 2, with this test in the place of a t-test at .2).

    Args:
        values: Of the same examples, by the number of the candidate.
        population: How many of the best are kept at least.
        alpha: The greatest probability with which one is shown to be better than an equal one.
        largest: By how much two values may differ: more than 1 where lengths are penalised.

    Returns:
        Their numbers, in the order given.

    Example:
        >>> values = {1: [1.0] * 30, 2: [0.0] * 30, 3: [1.0] * 29 + [0.0]}
        >>> surviving_candidates(values, population=2)
        [1, 3]
        >>> surviving_candidates(values, population=3)
        [1, 2, 3]
    """
    return [
        number
        for number, own in values.items()
        if sum(
            _is_better(others, own, alpha, largest)
            for other, others in values.items()
            if other != number
        )
        < population
    ]


def _is_better(others: Sequence[float], own: Sequence[float], alpha: float, largest: float) -> bool:
    """Whether the first is shown to be better on the examples that both have."""
    common = min(len(others), len(own))
    differences = [  # in proportion: to cut them off would shift their mean; the rest is rounding
        max(-1.0, min(1.0, (a - b) / largest))
        for a, b in zip(others[:common], own[:common], strict=True)
    ]
    return PairedSequentialTest(alpha).update(differences).result.is_better
