"""The tree of shared prefixes, and the cache that lends them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import given
from hypothesis import strategies as st

from promptlab.engine.kv_cache.prefix_tree import PrefixNode, prefix_tree
from promptlab.engine.kv_cache.state import PrefixCacheLayer

Sequences = list[tuple[int, ...]]
IDS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple), max_size=12)


def placed(node: PrefixNode, before: tuple[int, ...] = ()) -> list[tuple[int, tuple[int, ...]]]:
    """Every row's index with what the nodes above it cover."""
    ids = before + node.ids
    found = [(row, ids) for row in node.rows]
    return found + [item for child in node.children for item in placed(child, ids)]


def nodes(node: PrefixNode) -> list[PrefixNode]:
    return [node, *(below for child in node.children for below in nodes(child))]


def computed(sequences: Sequence[tuple[int, ...]], tree: PrefixNode) -> int:
    own = sum(len(sequences[row]) - len(ids) for row, ids in placed(tree))
    return own + sum(len(node.ids) for node in nodes(tree))


@given(IDS, st.integers(1, 8))
def test_every_row_stands_once_below_its_own_beginning(sequences: Sequences, worth: int) -> None:
    tree = prefix_tree(sequences, min_shared_tokens=worth)
    rows = placed(tree)
    assert sorted(row for row, _ in rows) == list(range(len(sequences)))
    for row, ids in rows:
        assert sequences[row][: len(ids)] == ids
        assert len(sequences[row]) > len(ids)
    for node in nodes(tree)[1:]:
        assert len(node.ids) * (len(placed(node)) - 1) >= worth
    assert computed(sequences, tree) <= sum(map(len, sequences))


@given(IDS)
def test_with_worth_one_nothing_is_computed_twice(sequences: Sequences) -> None:
    distinct = list(dict.fromkeys(sequences))
    starts = {ids[:end] for ids in distinct for end in range(1, len(ids))}
    # the trie of all beginnings, and every sequence's last token
    assert computed(distinct, prefix_tree(distinct, min_shared_tokens=1)) == len(starts) + len(
        distinct
    )


def test_a_short_sequence_does_not_keep_the_others_from_sharing() -> None:
    long = tuple(range(50))
    tree = prefix_tree([(0,), (*long, 1), long[:10], (*long, 2), long])
    assert computed([(0,), (*long, 1), long[:10], (*long, 2), long], tree) < 100


def test_long_chains_are_no_recursion() -> None:
    chain = [tuple(range(length)) for length in range(1, 1500)]
    assert len(placed(prefix_tree(chain, min_shared_tokens=10**9))) == len(chain)


def test_the_layer_lends_its_prefix_and_never_grows() -> None:
    prefix = (torch.randn(1, 2, 3, 4), torch.randn(1, 2, 3, 4))
    layer = PrefixCacheLayer(prefix)
    own = torch.randn(5, 2, 6, 4)
    for _ in range(2):
        keys, values = layer.update(own, own)
        assert keys.shape == values.shape == (5, 2, 9, 4)
        assert torch.equal(keys[:, :, 3:], own)
        assert torch.equal(values[4, :, :3], prefix[1][0])
        assert layer.get_seq_length() == 3
        assert layer.get_mask_sizes(6) == (9, 0)
    alone = PrefixCacheLayer(None)
    assert alone.get_seq_length() == 0
    assert torch.equal(alone.update(own, own)[0], own)
