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


def test_labels_that_alternate_in_step_are_all_there() -> None:
    """Every second of 32 is always the same label; the shares are then drawn label by label."""
    alternating = [example(n, "ab"[n % 2]) for n in range(32)]
    found = evenly_spaced(alternating, 16)
    assert [one.label for one in found] == ["a", "b"] * 8
    assert ids(found) == [str(n) for k in range(8) for n in (4 * k, 4 * k + 1)]
    thirds = [example(n, "abc"[n % 3]) for n in range(36)]
    assert [one.label for one in evenly_spaced(thirds, 12)].count("b") == 4


def test_shares_by_hand_and_a_rare_label() -> None:
    """39 of a, 10 of b, 1 of c: of five 3.9, 1.0 and .1, and the rarest has its one."""
    pool = [example(n, "c" if n == 7 else "b" if n % 5 == 1 else "a") for n in range(50)]
    sizes = [[one.label for one in pool].count(label) for label in "abc"]
    assert sizes == [39, 10, 1]
    found = evenly_spaced(pool, 5)
    assert [[one.label for one in found].count(label) for label in "abc"] == [3, 1, 1]
    assert ids(found) == sorted(ids(found), key=int) and len(set(ids(found))) == 5


def test_what_even_distances_find_is_left_as_it_is() -> None:
    pool = [example(n, "ab"[n % 2]) for n in range(33)]
    assert evenly_spaced(pool, 3) == [pool[0], pool[11], pool[22]]
    assert [one.label for one in evenly_spaced(pool, 1)] == ["a"]  # fewer than labels
    opened = [example(n, f"answer {n}") for n in range(10)]
    assert ids(evenly_spaced(opened, 5)) == ["0", "2", "4", "6", "8"]
