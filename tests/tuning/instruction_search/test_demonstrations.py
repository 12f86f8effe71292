"""Demonstrations of children: out of both parents', or with one change."""

from __future__ import annotations

import random
from collections import Counter

from promptlab.tuning.instruction_search.demonstrations import (
    cross_demonstrations,
    mutate_demonstrations,
)


def test_a_cross_holds_as_many_as_the_parents_on_average() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        found = cross_demonstrations(["a", "b", "c"], ["c"], random.Random(seed))
        assert len(found) == len(set(found)) == 2
        seen.update(found)
    assert set(seen) == {"a", "b", "c"}
    assert cross_demonstrations([], [], random.Random(1)) == ()


def test_every_change_is_as_likely() -> None:
    changes = Counter(
        mutate_demonstrations(["a", "b"], ["a", "b", "c"], 3, random.Random(seed))[1]
        for seed in range(900)
    )
    assert set(changes) == {"added", "removed", "shuffled"}
    assert all(240 < count < 360 for count in changes.values())


def test_what_each_change_does() -> None:
    for seed in range(60):
        found, change = mutate_demonstrations(["a", "b"], ["a", "b", "c"], 3, random.Random(seed))
        if change == "added":
            assert sorted(found) == ["a", "b", "c"]
        elif change == "removed":
            assert found in {("a",), ("b",)}
        else:
            assert found == ("b", "a")


def test_only_what_is_possible_is_drawn() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        assert mutate_demonstrations(["a"], ["a"], 3, chance)[1] == "removed"
        assert mutate_demonstrations(["a"], ["a", "b"], 1, chance)[1] == "removed"
        assert mutate_demonstrations([], ["a"], 1, chance) == (("a",), "added")
