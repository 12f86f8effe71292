"""Demonstrations: balanced, seeded, in the order asked for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.demonstrations import DemonstrationChoice, Order
from promptlab.errors import InputError
from promptlab.example import Example

POOL = [Example(str(n), {"text": f"t{n}"}, "abc"[min(n // 10, 2)]) for n in range(24)]


def labels(count: int, seed: int = 13, order: Order = "random") -> list[str | None]:
    return [e.label for e in DemonstrationChoice(count, seed, order).draw(POOL)]


@given(
    st.integers(1, 24), st.integers(0, 50), st.sampled_from(["random", "grouped", "alternating"])
)
def test_draws_are_balanced_distinct_and_repeatable(count: int, seed: int, order: Order) -> None:
    choice = DemonstrationChoice(count, seed, order)
    drawn = choice.draw(POOL)
    assert len({e.id for e in drawn}) == count
    assert [e.id for e in choice.draw(POOL)] == [e.id for e in drawn]
    sizes = Counter(e.label for e in POOL)
    counts = [Counter(e.label for e in drawn)[label] for label in "abc"]
    unexhausted = [n for n, label in zip(counts, "abc", strict=True) if n < sizes[label]]
    assert not unexhausted or max(counts) - min(unexhausted) <= 1


def test_orders() -> None:
    assert labels(6, order="grouped") == ["a", "a", "b", "b", "c", "c"]
    assert labels(6, order="alternating") == ["a", "b", "c", "a", "b", "c"]
    shuffled = {tuple(labels(6, seed)) for seed in range(20)}
    assert len(shuffled) > 5
    assert {tuple(sorted(map(str, row))) for row in shuffled} == {("a", "a", "b", "b", "c", "c")}


def test_seeds_draw_other_examples() -> None:
    drawn = {tuple(e.id for e in DemonstrationChoice(4, seed).draw(POOL)) for seed in range(10)}
    assert len(drawn) > 5


def test_too_few_and_nonsense() -> None:
    assert DemonstrationChoice().draw([]) == []
    unlabelled = [*POOL[:2], Example("x", {"text": "x"})]
    with pytest.raises(InputError, match="3 demonstrations are asked for and there are 2 labelled"):
        DemonstrationChoice(3).draw(unlabelled)
    with pytest.raises(InputError, match="is -1; use 0 or more"):
        DemonstrationChoice(-1)
    with pytest.raises(InputError, match=r"unknown order 'sorted'.*random, grouped, alternating"):
        DemonstrationChoice(1, order="sorted")  # type: ignore[arg-type]
