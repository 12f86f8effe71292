"""Token sequences grouped by the prefixes that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

MIN_SHARED_TOKENS = 32
"""Sharing has to save so many tokens to be worth a forward of its own."""


@dataclass
class PrefixNode:
    """Rows that share ``ids`` (after the parent's): some end here, some share yet more."""

    ids: tuple[int, ...]
    rows: list[int] = field(default_factory=list)
    children: list[PrefixNode] = field(default_factory=list)

    def rows_below(self) -> Iterator[int]:
        """All rows that end here or in a child."""
        yield from self.rows
        for child in self.children:
            yield from child.rows_below()


def prefix_tree(
    sequences: Sequence[tuple[int, ...]], *, min_shared_tokens: int = MIN_SHARED_TOKENS
) -> PrefixNode:
    """Group token sequences by what they share, under a root that shares nothing.

    A node is made where sharing saves at least ``worth`` tokens. Every sequence keeps at least
    one token of its own below its node. ``rows`` are indices into ``sequences``.
    """
    root = PrefixNode(())
    order = sorted(range(len(sequences)), key=lambda index: sequences[index])
    waiting = [(root, order, 0, 0)]
    while waiting:
        # The group's sequences agree up to ``at``; the node above them covers ``start``.
        node, group, start, at = waiting.pop()
        if len(group) < 2:
            node.rows.extend(group)
            continue
        end = _common_length(sequences, group, at)
        if (end - start) * (len(group) - 1) >= min_shared_tokens:
            child = PrefixNode(sequences[group[0]][start:end])
            node.children.append(child)
            node, start = child, end
        longer = [index for index in group if len(sequences[index]) > end + 1]
        node.rows.extend(index for index in group if len(sequences[index]) <= end + 1)
        waiting.extend((node, branch, start, end) for branch in _branches(sequences, longer, end))
    return root


def _common_length(sequences: Sequence[tuple[int, ...]], group: list[int], start: int) -> int:
    """How far sorted sequences agree, leaving each at least one token of its own."""
    first, last = sequences[group[0]], sequences[group[-1]]
    limit = min(len(sequences[index]) for index in group) - 1
    end = start
    while end < limit and first[end] == last[end]:
        end += 1
    return end


def _branches(sequences: Sequence[tuple[int, ...]], group: list[int], at: int) -> list[list[int]]:
    """Split sorted sequences by the token at ``at``."""
    return [list(branch) for _, branch in groupby(group, key=lambda index: sequences[index][at])]
