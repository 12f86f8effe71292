"""Draws of examples: the classes take turns, whatever their number."""

from __future__ import annotations

from promptlab.data.example import Example
from promptlab.predictors.demonstrations.sampling import (
    evenly_spaced,
    group_by_label,
    round_robin,
    sample_examples,
)


def example(number: int, label: str) -> Example:
    return Example(str(number), {"text": f"text {number}"}, label)


def ids(examples: list[Example]) -> list[str]:
    return [one.id for one in examples]


def test_classes_take_turns() -> None:
    pool = [example(n, "ab"[n % 2]) for n in range(20)]
    for seed in range(5):
        found, _ = sample_examples(pool, 6, seed, balanced=True)
        assert [one.label for one in found].count("a") == 3
        assert ids(found) == ids(sample_examples(pool, 6, seed, balanced=True)[0])


def test_of_more_labels_than_examples_the_seed_draws() -> None:
    """Open answers: all labels differ, and the first by the alphabet are no sample."""
    pool = [example(n, f"answer {n:02}") for n in range(40)]
    drawn = [set(ids(sample_examples(pool, 4, seed, balanced=True)[0])) for seed in range(30)]
    assert all(len(found) == 4 for found in drawn)
    assert len(set.union(*drawn)) > 25 and len(set(map(frozenset, drawn))) > 20


def test_groups_and_rounds() -> None:
    pool = [example(1, "b"), example(2, "a"), example(3, "b")]
    groups = group_by_label(pool)
    assert [ids(group) for group in groups] == [["2"], ["1", "3"]]
    assert ids(round_robin(groups, 9)) == ["2", "1", "3"]
    assert ids(evenly_spaced([example(n, "a") for n in range(10)], 5)) == ["0", "2", "4", "6", "8"]
