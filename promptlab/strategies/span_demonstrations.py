"""Solved stretches of training sentences, to stand before the one that is asked about."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from promptlab.errors import InputError
from promptlab.example import Example
from promptlab.strategies.span_bias import true_spans
from promptlab.strategies.stretches import Stretch

Solved = tuple[Example, str, str]
"""An example, a phrase of it, and the phrase's label."""


def draw_solved(
    rows: Sequence[Example],
    stretches_of: Callable[[Example], list[Stretch]],
    outside: str,
    count: int,
    seed: int,
) -> list[Solved]:
    """``count`` solved phrases: labels take turns, each from a sentence of its own if possible.

    Raises `InputError` when the sentences hold fewer phrases.
    """
    source = random.Random(seed)
    pools: dict[str, list[Solved]] = {}
    for row in source.sample(list(rows), len(rows)):
        types = {span.phrase: span.type for span in true_spans(row)}
        phrases = dict.fromkeys([*types, *(stretch.phrase for stretch in stretches_of(row))])
        for phrase in source.sample(list(phrases), len(phrases)):
            label = types.get(phrase, outside)
            pools.setdefault(label, []).append((row, phrase, label))
    if sum(map(len, pools.values())) < count:
        raise InputError(
            f"{count} solved phrases are to be shown and the training sentences hold "
            f"{sum(map(len, pools.values()))}; show fewer, or give more sentences"
        )
    chosen: list[Solved] = []
    while len(chosen) < count:
        for label in sorted(pools):
            if pools[label] and len(chosen) < count:
                chosen.append(_taken(pools[label], {row.id for row, _, _ in chosen}))
    source.shuffle(chosen)
    return chosen


def _taken(pool: list[Solved], used: set[str]) -> Solved:
    """The first of a sentence that is not used yet, else the first."""
    index = next((n for n, (row, _, _) in enumerate(pool) if row.id not in used), 0)
    return pool.pop(index)
