"""The tree of kept states against a plain dictionary of all kept beginnings."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.engine.kv_cache.budget import (
    KV_CACHE_BYTES_ENV,
    MAX_CPU_KV_CACHE_BYTES,
    kv_cache_bytes,
)
from promptlab.engine.kv_cache.radix_cache import (
    MAX_RECENT_CONTEXTS,
    MIN_CACHED_TOKENS,
    RadixKVCache,
)
from promptlab.engine.kv_cache.state import KVState
from promptlab.errors import InputError

LAYERS, HEADS, SIZE = 2, 2, 3
TOKEN_BYTES = LAYERS * 2 * HEADS * SIZE * 4
PLENTY = 10**9


def state_of(ids: tuple[int, ...], *, room: int = 5) -> KVState:
    """A state that tells its tokens: each value depends on all ids up to it, as in a network.

    It is a view of a larger buffer, as after a batch.
    """
    sums = torch.tensor(
        [sum((i + 1) * t for i, t in enumerate(ids[: n + 1])) for n in range(len(ids))]
    )
    buffer = torch.zeros(1, HEADS, len(ids) + room, SIZE)
    buffer[:, :, : len(ids)] = sums[None, None, :, None]
    layers = tuple(
        ((buffer + layer)[:, :, : len(ids)], (buffer - layer)[:, :, : len(ids)])
        for layer in range(LAYERS)
    )
    return KVState(layers, len(ids))


def check(found: KVState | None, ids: tuple[int, ...], length: int) -> None:
    """``found`` is the state of the first ``length`` of ``ids`` (0: nothing)."""
    if length == 0:
        assert found is None
        return
    assert found is not None and found.length == length
    for own, expected in zip(found.layers, state_of(ids[:length]).layers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, expected, strict=True))


def agreement(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    return next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )


BASE = tuple(range(100, 100 + MIN_CACHED_TOKENS))
TAIL = st.lists(st.integers(0, 2), max_size=9).map(tuple)
"""Few different tokens: much is shared, split and extended."""
SEQUENCES = st.one_of(TAIL, TAIL.map(lambda tail: BASE + tail))


@given(st.lists(st.tuples(st.booleans(), SEQUENCES), max_size=30))
@settings(max_examples=150, deadline=None)
def test_the_tree_finds_what_a_dictionary_of_beginnings_finds(
    steps: list[tuple[bool, tuple[int, ...]]],
) -> None:
    kept, known = RadixKVCache(PLENTY), set[tuple[int, ...]]()
    for keeps, ids in steps:
        if keeps:
            kept.insert(ids, state_of(ids))
            known |= {ids[:end] for end in range(1, len(ids) + 1)}
        else:
            ends = [e for e in range(MIN_CACHED_TOKENS, len(ids)) if ids[:e] in known]
            length = max(ends, default=0)
            assert kept.cached_length(ids) == length
            check(kept.longest_prefix(ids), ids, length)
    assert kept.used_bytes == len(known) * TOKEN_BYTES  # every token once


@given(st.integers(0, 60), st.lists(SEQUENCES, max_size=30))
@settings(max_examples=100, deadline=None)
def test_a_budget_is_kept_and_what_is_left_is_right(
    tokens: int, sequences: list[tuple[int, ...]]
) -> None:
    kept = RadixKVCache(tokens * TOKEN_BYTES)
    for ids in sequences:
        kept.insert(ids, state_of(ids))
        assert kept.used_bytes <= kept.budget_bytes
        if MIN_CACHED_TOKENS <= len(ids) <= tokens:
            check(kept.longest_prefix((*ids, 7)), ids, len(ids))  # the one kept last is there
        for other in sequences:
            found = kept.longest_prefix((*other, 7))
            if found is not None:
                check(found, other, found.length)


def row(*tail: int) -> tuple[int, ...]:
    return BASE + tail


def test_nodes_are_split_and_hold_only_their_own() -> None:
    kept = RadixKVCache(PLENTY)
    kept.insert(row(1, 2, 3, 4), state_of(row(1, 2, 3, 4)))
    kept.insert(row(1, 2, 8), state_of(row(1, 2, 8)))
    assert kept.used_bytes == (MIN_CACHED_TOKENS + 5) * TOKEN_BYTES
    for tail in ((1, 2, 3, 4), (1, 2, 8)):
        check(kept.longest_prefix((*row(*tail), 0)), row(*tail), MIN_CACHED_TOKENS + len(tail))
    check(kept.longest_prefix(row(1, 2, 9, 9)), row(1, 2), MIN_CACHED_TOKENS + 2)
    check(
        kept.longest_prefix(row(1, 2, 3, 4)), row(1, 2, 3), MIN_CACHED_TOKENS + 3
    )  # one token is left to compute
    check(kept.longest_prefix(BASE), BASE, 0)
    check(kept.longest_prefix((5, *BASE)), BASE, 0)
    kept.clear()
    assert kept.used_bytes == 0 and kept.longest_prefix(row(1, 2)) is None


def test_what_is_kept_is_a_copy() -> None:
    kept, ids = RadixKVCache(PLENTY), row(1, 2)
    given_state = state_of(ids, room=1000)
    kept.insert(ids, given_state)
    for keys, values in given_state.layers:
        keys.fill_(0)
        values.fill_(0)
    found = kept.longest_prefix((*ids, 3))
    check(found, ids, len(ids))
    assert found is not None
    kept.insert(row(7), state_of(row(7)))
    for keys, _ in found.layers:
        assert keys.untyped_storage().nbytes() == len(ids) * HEADS * SIZE * 4
    again = kept.longest_prefix((*row(1), 9))
    assert again is not None and kept.used_bytes == (MIN_CACHED_TOKENS + 3) * TOKEN_BYTES


def test_the_leaf_used_longest_ago_goes_first() -> None:
    kept = RadixKVCache((MIN_CACHED_TOKENS + 6) * TOKEN_BYTES)
    for tail in ((1, 1, 1), (2, 2, 2)):
        kept.insert(row(*tail), state_of(row(*tail)))
    assert kept.longest_prefix(row(1, 1, 1, 0)) is not None  # used again
    kept.insert(row(3, 3), state_of(row(3, 3)))
    check(kept.longest_prefix(row(2, 2, 2, 0)), row(), MIN_CACHED_TOKENS)
    check(kept.longest_prefix(row(1, 1, 1, 0)), row(1, 1, 1), MIN_CACHED_TOKENS + 3)
    check(kept.longest_prefix(row(3, 3, 0)), row(3, 3), MIN_CACHED_TOKENS + 2)
    large = tuple(range(200, 260))
    kept.insert(large, state_of(large))  # more than the budget: nothing is given up for it
    assert (
        kept.longest_prefix((*large, 1)) is None and kept.longest_prefix(row(3, 3, 0)) is not None
    )


def test_what_was_learned_never_shares() -> None:
    kept = RadixKVCache((2 * MIN_CACHED_TOKENS + 4) * TOKEN_BYTES)
    one, other = kept.scoped_to("one"), kept.scoped_to("other")
    one.insert(row(1), state_of(row(1)))
    assert kept.longest_prefix(row(1, 2)) is None and other.longest_prefix(row(1, 2)) is None
    check(kept.scoped_to("one").longest_prefix(row(1, 2)), row(1), MIN_CACHED_TOKENS + 1)
    other.insert(row(1), state_of(row(1)))
    assert kept.used_bytes == one.used_bytes == 2 * (MIN_CACHED_TOKENS + 1) * TOKEN_BYTES
    kept.insert(row(1), state_of(row(1)))  # one budget: the oldest of any goes
    assert one.longest_prefix(row(1, 2)) is None and kept.used_bytes <= kept.budget_bytes
    assert kept.scoped_to("") is kept


def test_too_few_ids_and_a_few_recent_contexts() -> None:
    kept = RadixKVCache(PLENTY)
    with pytest.raises(ValueError, match="3 token ids for a state of 18"):
        kept.insert((1, 2, 3), state_of(row(1, 2)))
    kept.insert(row(1, 2, 3), state_of(row(1, 2)))  # the state says how many
    assert kept.used_bytes == (MIN_CACHED_TOKENS + 2) * TOKEN_BYTES
    kept.record_contexts([(n,) for n in range(1000)])
    assert 8 <= len(kept.recent_contexts) <= MAX_RECENT_CONTEXTS // 4
    kept.clear()
    assert not kept.recent_contexts


def test_threads_share_a_tree() -> None:
    kept = RadixKVCache(120 * TOKEN_BYTES)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(120):
                ids = row(*((seed * number + n) % 3 for n in range(number % 9)))
                kept.insert(ids, state_of(ids))
                found = kept.longest_prefix((*ids, 9))
                if found is not None:
                    check(found, ids, found.length)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and kept.used_bytes <= kept.budget_bytes


def test_the_budget_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.delenv(KV_CACHE_BYTES_ENV, raising=False)
    assert 0 < kv_cache_bytes(cpu) <= MAX_CPU_KV_CACHE_BYTES
    monkeypatch.setenv(KV_CACHE_BYTES_ENV, "0")
    assert kv_cache_bytes(cpu) == 0
    monkeypatch.setenv(KV_CACHE_BYTES_ENV, "1 GB")
    with pytest.raises(InputError, match="PROMPTLAB_KEPT_BYTES is '1 GB'"):
        kv_cache_bytes(cpu)
