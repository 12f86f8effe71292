"""Ranks with ties and filters, worked by hand, and the figures made of them."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.evaluation.statistics import wilson_interval
from promptlab.predictors.knowledge_probe.ranks import RankFigures, answer_ranks, rank_means


@pytest.mark.parametrize(
    ("scores", "right", "others", "rank"),
    [
        ([0.7, 0.2, 0.1], 0, (), 1),
        ([0.7, 0.2, 0.1], 2, (), 3),
        ([0.4, 0.4, 0.2], 0, (), 1.5),  # places 1 and 2
        ([0.4, 0.4, 0.2], 1, (), 1.5),
        ([0.5, 0.2, 0.2, 0.1], 1, (), 2.5),  # places 2 and 3
        ([0.25] * 4, 3, (), 2.5),  # all alike: the middle
        ([0.5, 0.3, 0.2], 1, (0,), 1),  # the better one is right, too
        ([0.4, 0.4, 0.2], 1, (0,), 1),
        ([0.5, 0.3, 0.2], 0, (1, 2), 1),
        ([-np.inf, -np.inf, -1.0], 0, (), 2.5),
    ],
)
def test_ranks_by_hand(
    scores: list[float], right: int, others: tuple[int, ...], rank: float
) -> None:
    found = answer_ranks(np.array([scores]), np.array([right]), [others])
    assert found.tolist() == [rank]


def test_ranks_are_those_of_the_plain_way() -> None:
    random = np.random.default_rng(3)
    scores = random.integers(0, 6, (50, 9)).astype(float)
    right = random.integers(0, 9, 50)
    others = [tuple({*random.integers(0, 9, 2).tolist()} - {int(one)}) for one in right]
    found = answer_ranks(scores, right, others)
    for row, rank in enumerate(found):
        left = [c for c in range(9) if c not in others[row]]
        order = sorted(-scores[row, c] for c in left)
        places = [
            place for place, value in enumerate(order, 1) if value == -scores[row, right[row]]
        ]
        assert rank == (places[0] + places[-1]) / 2


def test_figures_by_hand() -> None:
    found = RankFigures.from_ranks([1, 1, 1.5, 2, 10, 10.5, 40], seed=1)
    assert (found.n, found.p_at_1, found.p_at_10) == (7, 2 / 7, 5 / 7)
    assert found.mrr == pytest.approx((1 + 1 + 1 / 1.5 + 1 / 2 + 1 / 10 + 1 / 10.5 + 1 / 40) / 7)
    assert found.p_at_1_ci95 == wilson_interval(2, 7)
    assert found.p_at_10_ci95 == wilson_interval(5, 7)
    low, high = found.mrr_ci95 or (0, 0)
    assert low < found.mrr < high
    assert found == RankFigures.from_ranks([1, 1, 1.5, 2, 10, 10.5, 40], seed=1)
    assert found.record()["p_at_1_ci95"] == list(wilson_interval(2, 7))


def test_no_facts_have_no_figures() -> None:
    assert RankFigures.from_ranks([], seed=0).record() == {
        "n": 0, "p_at_1": None, "p_at_1_ci95": None, "p_at_10": None, "p_at_10_ci95": None,
        "mrr": None, "mrr_ci95": None,
    }  # fmt: skip


def test_means() -> None:
    assert rank_means([1, 4]) == {"p_at_1": 0.5, "p_at_10": 1.0, "mrr": 0.625}
