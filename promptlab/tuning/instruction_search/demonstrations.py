"""The demonstrations of a child: from both parents, or those of one with a small change."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

Change = Literal["added", "removed", "shuffled", "kept"]


def cross_demonstrations(
    first: Sequence[str], second: Sequence[str], chance: random.Random
) -> tuple[str, ...]:
    """Demonstrations out of the union of both parents', as many as they have on average.

    (Zehle et al. 2025, CAPO, algorithm 3.)

    Args:
        first: The ids of the one parent's demonstrations.
        second: Those of the other.
        chance: Draws them and their order.

    Example:
        >>> found = cross_demonstrations(["a", "b"], ["b", "c"], random.Random(1))
        >>> len(found), set(found) <= {"a", "b", "c"}
        (2, True)
    """
    union = list(dict.fromkeys([*first, *second]))
    return tuple(chance.sample(union, min(len(union), (len(first) + len(second)) // 2)))


def mutate_demonstrations(
    own: Sequence[str], candidates: Sequence[str], most: int, chance: random.Random
) -> tuple[tuple[str, ...], Change]:
    """The demonstrations with one more, one less, or in another order, each as likely.

    (Zehle et al. 2025, CAPO, algorithm 4.) What is not possible is not drawn.

    Args:
        own: The ids of those that there are.
        candidates: The ids of the training examples.
        most: How many there may be.
        chance: Draws.

    Returns:
        The ids, and what was done.

    Example:
        >>> mutate_demonstrations([], ["a"], 2, random.Random(1))
        (('a',), 'added')
        >>> mutate_demonstrations([], ["a"], 0, random.Random(1))
        ((), 'kept')
    """
    left = [one for one in candidates if one not in own]
    possible: list[Change] = ["added"] if left and len(own) < most else []
    possible += ["removed"] if own else []
    possible += ["shuffled"] if len(own) > 1 else []
    if not possible:
        return tuple(own), "kept"
    change = chance.choice(possible)
    found = list(own)
    if change == "added":
        found.insert(chance.randint(0, len(found)), chance.choice(left))
    elif change == "removed":
        found.pop(chance.randrange(len(found)))
    else:
        while found == list(own):
            chance.shuffle(found)
    return tuple(found), change
