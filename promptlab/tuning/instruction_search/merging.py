"""Two lineages in one prompt: what each has changed since they were the same."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from promptlab.tuning.instruction_search.judged import JudgedInstruction


@dataclass(frozen=True)
class Merge:
    """Two parents with an ancestor of both, and the components that are taken from them.

    Args:
        better: The parent with the higher value.
        other: The other one.
        ancestor: What both descend from.
        instruction: The instruction of the child.
        demonstrations: The ids of its demonstrations.
    """

    better: JudgedInstruction
    other: JudgedInstruction
    ancestor: JudgedInstruction
    instruction: str
    demonstrations: tuple[str, ...]


def find_ancestors(number: int, pool: Mapping[int, JudgedInstruction]) -> set[int]:
    """The numbers of all that a candidate descends from, of those that were judged.

    Example:
        >>> pool = {n: JudgedInstruction(n, "mood", "x", 0.5, parents=tuple(range(n))[-1:])
        ...         for n in range(3)}
        >>> find_ancestors(2, pool)
        {0, 1}
    """
    found: set[int] = set()
    waiting = list(pool[number].parents)
    while waiting:
        one = waiting.pop()
        if one in pool and one not in found:
            found.add(one)
            waiting += pool[one].parents
    return found


def possible_merges(leaders: Collection[int], pool: Mapping[int, JudgedInstruction]) -> list[Merge]:
    """All merges of two candidates that lead on some examples.

    Neither is an ancestor of the other, both descend from a common one that is better than neither,
    and each component (instruction, demonstrations) comes from the parent that has changed it
    since; from the better one where both have. What is known already is no merge (Agrawal et al.
    2025, GEPA, appendix on the system-aware merge).

    Args:
        leaders: The numbers of those that lead on some examples.
        pool: All that were judged, by number.

    Returns:
        The merges, in the order of the numbers of their parents.
    """
    known = {one.content for one in pool.values()}
    above = {number: find_ancestors(number, pool) for number in leaders}
    found = []
    for first in sorted(leaders):
        for second in sorted(number for number in leaders if number > first):
            if first in above[second] or second in above[first]:
                continue
            merge = _merge_of(pool[first], pool[second], above[first] & above[second], pool)
            if merge is not None and (merge.instruction, merge.demonstrations) not in known:
                found.append(merge)
    return found


def draw_merge(
    leaders: Collection[int], pool: Mapping[int, JudgedInstruction], chance: random.Random
) -> Merge | None:
    """One of the possible merges; ``None`` if there is none."""
    found = possible_merges(leaders, pool)
    return chance.choice(found) if found else None


def _merge_of(
    first: JudgedInstruction,
    second: JudgedInstruction,
    common: Collection[int],
    pool: Mapping[int, JudgedInstruction],
) -> Merge | None:
    """The merge over the best common ancestor that is better than neither parent."""
    better, other = (first, second) if first.value >= second.value else (second, first)
    ancestors = [pool[number] for number in common if pool[number].value <= other.value]
    if not ancestors:
        return None
    ancestor = max(ancestors, key=lambda one: (one.value, one.number))

    def taken(name: str) -> object:
        is_changed = getattr(better, name) != getattr(ancestor, name)
        return getattr(better if is_changed else other, name)

    instruction, shown = taken("instruction"), taken("demonstrations")
    assert isinstance(instruction, str) and isinstance(shown, tuple)
    return Merge(better, other, ancestor, instruction, shown)
