"""Who may still be a parent: candidates fall out of the race, examples never."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.evaluation.sequential_testing import PairedSequentialTest
from promptlab.tuning.instruction_search.race import surviving_candidates

GOOD, FAIR, BAD = [1.0] * 40, [1.0] * 20 + [0.0] * 20, [0.0] * 40


def test_the_filter_is_over_candidates() -> None:
    """As many examples as candidates, and the first two candidates are the ones that fall out.

    Whoever filters the examples by the mask of the candidates has three examples left, on which all
    are alike, and keeps everybody.
    """
    values = {
        7: [0.0] * 10 + [1.0] * 30,
        8: [0.0] * 10 + [1.0] * 30,
        **{n: [1.0] * 40 for n in range(10, 48)},
    }
    assert len(values) == 40
    assert surviving_candidates(values, population=3) == list(range(10, 48))


@pytest.mark.parametrize(
    ("population", "left"), [(1, ["good"]), (2, ["good", "fair"]), (3, ["good", "fair", "bad"])]
)
def test_by_hand(population: int, left: list[str]) -> None:
    """Good beats both, fair beats bad: nobody, one and two are better than them."""
    for a, b in ((FAIR, GOOD), (BAD, GOOD), (BAD, FAIR)):
        differences = [y - x for x, y in zip(a, b, strict=True)]
        assert PairedSequentialTest().update(differences).result.is_better
    names = {1: "good", 2: "fair", 3: "bad"}
    found = surviving_candidates({1: GOOD, 2: FAIR, 3: BAD}, population)
    assert [names[number] for number in found] == left


def test_a_sum_over_three_examples_is_no_evidence() -> None:
    assert surviving_candidates({1: [1.0, 1.0, 1.0], 2: [0.0, 0.0, 0.0]}, population=1) == [1, 2]


def test_compared_on_common_examples_alone() -> None:
    """Who was looked at on fewer examples is compared on those."""
    assert surviving_candidates({1: GOOD, 2: BAD[:3]}, population=1) == [1, 2]
    assert surviving_candidates({}, population=1) == []


def test_equal_candidates_rarely_fall_out() -> None:
    """Of 300 pairs of equals looked at once, one at most in twenty."""
    chance = np.random.default_rng(5)
    lost = 0
    for _ in range(300):
        one, other = chance.integers(0, 2, (2, 60)).astype(float)
        lost += len(surviving_candidates({1: list(one), 2: list(other)}, population=1)) < 2
    assert lost <= 30  # either of the two may be lost


def test_penalised_values_are_compared_in_proportion() -> None:
    """With a penalty of .5 one is .5 shorter and wins as often as it loses: by hand.

    Its differences are 1.5 and -.5 in turn, of 1.5 at most 1 and -1/3: a mean of 1/3. Cut off at 1
    they would be 1 and -.5, as if it were less; and -1.5 and .5, cut off, more.
    """
    values = {1: [1.0, 0.0] * 30, 2: [-0.5, 0.5] * 30}
    expected = PairedSequentialTest().update([1, -1 / 3] * 30).result
    cut = PairedSequentialTest().update([1, -0.5] * 30).result
    assert expected.is_better and expected.e_value > cut.e_value
    assert surviving_candidates(values, population=1, largest=1.5) == [1]
    even = {1: [0.75, -0.75] * 40, 2: [-0.75, 0.75] * 40}
    assert surviving_candidates(even, population=1, largest=1.5) == [1, 2]
