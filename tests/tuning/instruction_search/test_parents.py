"""Whose turn it is: Pareto fronts worked by hand, and draws in proportion."""

from __future__ import annotations

import random
from collections import Counter

from promptlab.tuning.instruction_search.parents import draw_by_share, pareto_shares


def test_ten_candidates_by_hand() -> None:
    scores = {
        0: [1, 0, 0, 0, 0, 0],  # superfluous: 1 leads there, too
        1: [1, 1, 1, 0, 0, 0],
        2: [0, 1, 1, 0, 0, 0],  # superfluous beside 1
        3: [0, 0, 0, 1, 0, 0],  # alone on the fourth
        4: [0, 0, 0, 0, 1, 1],
        5: [0, 0, 0, 0, 1, 0],  # superfluous beside 4
        6: [0, 0, 0, 0, 0, 1],  # superfluous beside 4
        7: [0, 0, 0, 0, 0, 0],  # leads nowhere
        8: [1, 0, 1, 0, 0, 0],  # superfluous beside 1
        9: [0, 0, 0, 0, 0, 0],
    }
    assert pareto_shares(scores) == {1: 3, 3: 1, 4: 2}


def test_equal_ones_leave_one_and_a_specialist_stays() -> None:
    assert pareto_shares({1: [1, 1], 2: [1, 1]}) == {1: 2}
    # 3 is worse on the whole, and the only one that is right on the last
    assert pareto_shares({1: [1, 1, 1, 0], 3: [0, 0, 0, 1]}) == {1: 3, 3: 1}
    assert pareto_shares({}) == {}


def test_an_example_that_nobody_gets_right_is_led_by_all() -> None:
    assert pareto_shares({1: [1, 0], 2: [0, 0]}) == {1: 2}


def test_draws_in_proportion() -> None:
    chance = random.Random(3)
    drawn = Counter(draw_by_share({1: 3, 2: 1, 3: 0}, chance) for _ in range(4_000))
    assert drawn[3] == 0 and 2.6 < drawn[1] / drawn[2] < 3.4
    even = Counter(draw_by_share({1: 0, 2: 0}, chance) for _ in range(1_000))
    assert 400 < even[1] < 600
