"""A tidy layout for trees that are read from left to right: no two branches cross or overlap."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class TreeLayout(Generic[K]):
    """Every node's ``column`` (its depth) and ``row``; rows are 1 apart at least, and begin at 0.

    ``columns`` and ``rows`` are how many there are.
    """

    places: Mapping[K, tuple[int, float]]
    columns: int
    rows: float


def lay_out_tree(root: K, children: Mapping[K, Sequence[K]], gap: float = 0.35) -> TreeLayout[K]:
    """Leaves stand below each other, a parent in the row of its first child.

    So the path of first children is a straight line at the top, in view however tall the tree is.
    Leaves of different parents are ``gap`` further apart. Deep trees need no deep recursion.
    """
    rows: dict[K, float] = {}
    depths: dict[K, int] = {root: 0}
    following = 0.0
    last_parent: K | None = None
    waiting: list[tuple[K, K | None, bool]] = [(root, None, False)]
    while waiting:
        node, parent, returned = waiting.pop()
        below = children.get(node, ())
        if returned:
            rows[node] = rows[below[0]]
            continue
        if not below:
            if rows and parent != last_parent:
                following += gap
            rows[node], following, last_parent = following, following + 1, parent
            continue
        waiting.append((node, parent, True))
        for child in reversed(below):
            depths[child] = depths[node] + 1
            waiting.append((child, node, False))
    places = {node: (depths[node], row) for node, row in rows.items()}
    return TreeLayout(places, max(depths.values()) + 1, max(rows.values()) + 1)
