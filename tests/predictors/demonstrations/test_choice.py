"""Demonstrations: balanced, seeded, in the order asked for."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.predictors.demonstrations.choice import DemonstrationConfig, Order, orders_of

POOL = [Example(str(n), {"text": f"t{n}"}, "abc"[min(n // 10, 2)]) for n in range(24)]


def labels(count: int, seed: int = 13, order: Order = "random") -> list[str | None]:
    return [e.label for e in DemonstrationConfig(count, seed, order).draw(POOL)]


@given(
    st.integers(1, 24), st.integers(0, 50), st.sampled_from(["random", "grouped", "alternating"])
)
def test_draws_are_balanced_distinct_and_repeatable(count: int, seed: int, order: Order) -> None:
    choice = DemonstrationConfig(count, seed, order)
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
    drawn = {tuple(e.id for e in DemonstrationConfig(4, seed).draw(POOL)) for seed in range(10)}
    assert len(drawn) > 5


def test_too_few_and_nonsense() -> None:
    assert DemonstrationConfig().draw([]) == []
    unlabelled = [*POOL[:2], Example("x", {"text": "x"})]
    with pytest.raises(InputError, match="3 demonstrations are asked for and there are 2 labelled"):
        DemonstrationConfig(3).draw(unlabelled)
    with pytest.raises(InputError, match="is -1; use 0 or more"):
        DemonstrationConfig(-1)
    with pytest.raises(InputError, match=r"unknown order 'sorted'.*random, grouped, alternating"):
        DemonstrationConfig(1, order="sorted")  # type: ignore[arg-type]


def test_first_given_and_unbalanced() -> None:
    first = DemonstrationConfig(12, selection="first").draw(POOL)
    assert [e.id for e in first] == [str(n) for n in range(12)]
    grouped = DemonstrationConfig(12, selection="first", order="alternating").draw(POOL)
    assert [e.label for e in grouped][:5] == ["a", "b", "a", "b", "a"]
    given_order = DemonstrationConfig(6, order="given").draw(POOL)
    assert [int(e.id) for e in given_order] == sorted(int(e.id) for e in given_order)
    sizes = {
        Counter(e.label for e in DemonstrationConfig(6, n, balanced=False).draw(POOL))["a"]
        for n in range(12)
    }
    assert len(sizes) > 1


def test_defaults_and_settings_of_before() -> None:
    assert DemonstrationConfig(2).order == "random"
    assert DemonstrationConfig(2, selection="nearest").order == "nearest_last"
    assert DemonstrationConfig(2, selection="first").order == "given"
    assert DemonstrationConfig(2).balanced
    assert not DemonstrationConfig(2, selection="nearest").balanced
    old = DemonstrationConfig(**{"count": 4, "seed": 21, "order": "grouped"})
    assert old == DemonstrationConfig(**vars(old))
    assert (old.selection, old.placement) == ("random", "before")


def test_what_depends_on_the_seed() -> None:
    assert DemonstrationConfig(1).uses_seed
    assert DemonstrationConfig(3, selection="bootstrapped", order="given").uses_seed
    assert not DemonstrationConfig(3, selection="nearest").uses_seed
    assert DemonstrationConfig(3, selection="nearest", order="random").uses_seed
    assert not DemonstrationConfig(1, selection="diverse").uses_seed
    assert not DemonstrationConfig(4, selection="diverse", order="searched").uses_seed
    assert DemonstrationConfig(5, selection="diverse", order="searched").uses_seed
    assert not DemonstrationConfig(8, selection="first").uses_seed


def test_choices_that_cannot_be() -> None:
    assert "nearest_last" not in orders_of("random")
    with pytest.raises(InputError, match="order searched does not go with the selection nearest"):
        DemonstrationConfig(2, order="searched", selection="nearest")
    with pytest.raises(InputError, match="order nearest_last does not go with the selection rand"):
        DemonstrationConfig(2, order="nearest_last")
    with pytest.raises(InputError, match=r"unknown selection 'best'; it is one of random, near"):
        DemonstrationConfig(2, selection="best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown placement 'over'"):
        DemonstrationConfig(2, placement="over")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown similarity 'words'"):
        DemonstrationConfig(2, similarity="words")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="permutations is 0"):
        DemonstrationConfig(2, permutations=0)
    with pytest.raises(InputError, match="selection diverse in order random needs a fitted"):
        DemonstrationConfig(2, selection="diverse").draw(POOL)
    with pytest.raises(InputError, match="in order searched needs a fitted predictor"):
        DemonstrationConfig(2, order="searched").draw(POOL)
    with pytest.raises(InputError, match="9 demonstrations are asked for and there are 4"):
        DemonstrationConfig(9, balanced=False).draw(POOL[:4])
