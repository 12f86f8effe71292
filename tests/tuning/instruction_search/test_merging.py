"""Merges of two lineages on a table of ten candidates, worked by hand."""

from __future__ import annotations

import random

import pytest

from promptlab.tuning.instruction_search.judged import JudgedInstruction
from promptlab.tuning.instruction_search.merging import (
    draw_merge,
    find_ancestors,
    possible_merges,
)
from promptlab.tuning.instruction_search.parents import pareto_shares

# number: (instruction, demonstrations, value, parents, right on six examples)
TABLE: dict[int, tuple[str, tuple[str, ...], float, tuple[int, ...], str]] = {
    0: ("seed", (), 0.33, (), "110000"),
    1: ("calm", (), 0.50, (0,), "111000"),          # has changed the instruction
    2: ("seed", ("a",), 0.50, (0,), "000111"),      # has changed the demonstrations
    3: ("brisk", ("b",), 0.33, (0,), "100001"),     # has changed both; leads nowhere alone
    4: ("calmer", (), 0.33, (1,), "011000"),        # a child of 1
    5: ("seed", ("a", "b"), 0.33, (2,), "000011"),  # a child of 2
    6: ("other", (), 0.17, (), "000001"),           # of another ancestor
    7: ("calm", ("c",), 0.17, (1,), "100000"),
    8: ("dull", (), 0.00, (0,), "000000"),
    9: ("brisk", (), 0.17, (3,), "000001"),
}  # fmt: skip


def judged(number: int) -> JudgedInstruction:
    instruction, shown, value, parents, right = TABLE[number]
    correct = tuple(mark == "1" for mark in right)
    return JudgedInstruction(
        number, "mood", instruction, value, correct, demonstrations=shown, parents=parents
    )


POOL = {number: judged(number) for number in TABLE}


def test_ancestors() -> None:
    assert find_ancestors(4, POOL) == {0, 1} and find_ancestors(9, POOL) == {0, 3}
    assert find_ancestors(0, POOL) == find_ancestors(6, POOL) == set()
    assert find_ancestors(5, {5: POOL[5], 0: POOL[0]}) == set()  # 2 was never judged


def test_leaders_of_the_ten() -> None:
    """1 leads on the first three examples and 2 on the others; all else is superfluous."""
    shares = pareto_shares({number: one.correct for number, one in POOL.items()})
    assert shares == {1: 3, 2: 3}


def test_each_part_comes_from_who_has_changed_it() -> None:
    (merge,) = possible_merges([1, 2], POOL)
    assert merge.ancestor.number == 0
    assert (merge.instruction, merge.demonstrations) == ("calm", ("a",))
    assert draw_merge([1, 2], POOL, random.Random(1)) == merge


def test_what_both_have_changed_comes_from_the_better_one() -> None:
    """1 (.50) has changed the instruction, 3 (.33) both: calm, with the demonstrations of 3."""
    (merge,) = possible_merges([1, 3], POOL)
    assert (merge.better.number, merge.other.number) == (1, 3)
    assert (merge.instruction, merge.demonstrations) == ("calm", ("b",))


@pytest.mark.parametrize(
    ("leaders", "why"),
    [
        ([1, 4], "one is the other's ancestor"),
        ([0, 1], "so is the seed"),
        ([1, 6], "no common ancestor"),
        ([7, 2], "the ancestor is better than one of them"),
        ([1], "alone"),
        ([], "nobody"),
    ],
)
def test_what_is_no_merge(leaders: list[int], why: str) -> None:
    assert possible_merges(leaders, POOL) == [], why
    assert draw_merge(leaders, POOL, random.Random(1)) is None


def test_what_is_known_is_no_merge() -> None:
    """1 and 2 would give calm with a: once it was judged, it is not made again."""
    known = JudgedInstruction(10, "mood", "calm", 0.6, demonstrations=("a",), parents=(1, 2))
    assert possible_merges([1, 2], {**POOL, 10: known}) == []
