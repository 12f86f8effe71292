"""The order of demonstrations."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

from promptlab.example import Example
from promptlab.selection.turns import by_label, turns


def arranged(
    chosen: Sequence[Example], order: str, source: random.Random | int, train: Sequence[Example]
) -> list[Example]:
    """The chosen examples in an order that needs no model.

    ``source`` shuffles for *random* (an integer seeds one), ``train`` is what *given* goes by;
    for *nearest_last* and *nearest_first* the nearest stands first among ``chosen``. Any other
    order leaves them as they are.
    """
    found = list(chosen)
    if order == "grouped":
        found.sort(key=lambda example: str(example.label))
    elif order == "alternating":
        found = turns(by_label(found), len(found))
    elif order == "given":
        places = {id(example): place for place, example in enumerate(train)}
        found.sort(key=lambda example: places[id(example)])
    elif order == "nearest_last":
        found.reverse()
    elif order == "random":
        (random.Random(source) if isinstance(source, int) else source).shuffle(found)
    return found


def permutations(count: int, limit: int, seed: int) -> list[tuple[int, ...]]:
    """All orders of ``count`` things, or a seeded draw of ``limit`` different ones.

    The given order comes first.
    """
    if math.factorial(min(count, 20)) <= limit:
        return list(itertools.permutations(range(count)))
    source = random.Random(seed)
    found = {tuple(range(count)): None}
    while len(found) < limit:
        found[tuple(source.sample(range(count), count))] = None
    return list(found)
