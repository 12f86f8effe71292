"""Keys and values kept between calls: a radix tree over token ids.

What several prompts begin with is computed once a process, not once a call: a reply is scored
from the state its generation has left, a node of a search from its parent's.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from promptlab.engine.kv_cache.state import KVState, LayerKV

MIN_CACHED_TOKENS = 16
"""A kept beginning of fewer tokens is not worth starting from."""
MAX_RECENT_CONTEXTS = 64
"""So many contexts of earlier calls are compared with those of a new one."""
NO_TOKEN_ID = -1
"""Added to ids of which all may come from the cache: one token is always left to compute."""


@dataclass(eq=False)
class _Node:
    """The tokens after its parent's, and their keys and values alone."""

    ids: tuple[int, ...]
    layers: tuple[LayerKV, ...]
    parent: _Node | None
    children: dict[int, _Node] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Memory of its keys and values."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)


@dataclass
class _SharedTrees:
    """Trees by what was learned, under one budget; ``order`` has the node used last at its end.

    A node is always used before its ancestors, so the first in order is always a leaf.
    """

    budget: int
    bytes: int = 0
    roots: dict[str, _Node] = field(default_factory=dict)
    order: OrderedDict[_Node, None] = field(default_factory=OrderedDict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def use(self, node: _Node | None) -> None:
        """Note that a node and all above it were used just now."""
        while node is not None and node.parent is not None:
            self.order[node] = None
            self.order.move_to_end(node)
            node = node.parent

    def evict(self) -> None:
        """Drop leaves, the one used longest ago first, until the budget is met."""
        while self.bytes > self.budget and self.order:
            leaf, _ = self.order.popitem(last=False)
            assert leaf.parent is not None and not leaf.children
            del leaf.parent.children[leaf.ids[0]]
            self.bytes -= leaf.bytes


class RadixKVCache:
    """States of token sequences on a causal network, as far as ``budget_bytes`` reach.

    A node of the tree owns copies of the keys and values of its own tokens, layer by layer
    ``[1, head, token, dim]``. The leaves used longest ago are dropped first. Keys and values
    depend on learned vectors, prefixes and weights: `of` gives what was learned a tree of its
    own under the same budget. May be used from several threads.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._memory = _SharedTrees(budget_bytes)
        self._learned = ""
        self._recent: deque[tuple[int, ...]] = deque(maxlen=MAX_RECENT_CONTEXTS)

    def scoped_to(self, learned: str) -> RadixKVCache:
        """The states that go with what was learned (its content hash); the budget is shared."""
        if learned == self._learned:
            return self
        other = RadixKVCache(0)
        other._memory, other._learned = self._memory, learned
        return other

    @property
    def budget_bytes(self) -> int:
        """The most bytes that are kept, over all that was learned."""
        return self._memory.budget

    @property
    def used_bytes(self) -> int:
        """Bytes kept now, over all that was learned."""
        return self._memory.bytes

    def clear(self) -> None:
        """Forget everything, whatever was learned."""
        with self._memory.lock:
            self._memory.roots.clear()
            self._memory.order.clear()
            self._memory.bytes = 0
            self._recent.clear()

    def cached_length(self, ids: Sequence[int]) -> int:
        """Length in tokens of the state that `longest_prefix` would give; 0 if none."""
        with self._memory.lock:
            return sum(taken for _, taken in self._path(tuple(ids)))

    def longest_prefix(self, ids: Sequence[int]) -> KVState | None:
        """The state of the longest kept beginning of ``ids``, which leaves at least one token.

        ``None`` if fewer than `MIN_CACHED_TOKENS` tokens are kept. Its tensors belong to the
        memory: they may be read, never written.
        """
        with self._memory.lock:
            path = self._path(tuple(ids))
            if not path:
                return None
            self._memory.use(path[-1][0])
            # Tensors of a node are never changed, so they are joined outside of the lock.
            segments = [(node.layers, taken) for node, taken in path]
        return KVState(tuple(_join(segments)), sum(taken for _, taken in segments))

    @property
    def recent_contexts(self) -> list[tuple[int, ...]]:
        """Contexts computed by earlier calls, whose states were not kept."""
        with self._memory.lock:
            return list(self._recent)

    def record_contexts(self, contexts: Sequence[tuple[int, ...]]) -> None:
        """Remember the ids of a few contexts: what a later call shares with them is worth keeping.

        One use is no reason to keep a state; a second one shows what will be asked again.
        """
        step = max(1, 8 * len(contexts) // MAX_RECENT_CONTEXTS)
        with self._memory.lock:
            self._recent.extend(contexts[::step])

    def insert(self, ids: Sequence[int], state: KVState) -> None:
        """Keep the state of the first ``state.length`` of ``ids``; only what is new is copied.

        Raises `ValueError` if there are fewer ids than that.
        """
        if len(ids) < state.length:
            raise ValueError(f"{len(ids)} token ids for a state of {state.length} tokens")
        wanted = tuple(ids[: state.length])
        memory = self._memory
        with memory.lock:
            if _state_bytes(state) > memory.budget:
                return
            node, at = self._root(), 0
            while at < len(wanted):
                child = node.children.get(wanted[at])
                if child is None:
                    child = _Node(wanted[at:], _copy_tokens(state.layers, at, state.length), node)
                    node.children[wanted[at]] = child
                    memory.bytes += child.bytes
                    node = child
                    break
                taken = _shared_length(child.ids, wanted, at)
                at += taken
                whole = taken == len(child.ids) or at == len(wanted)
                node = child if whole else self._split(child, taken)
            memory.use(node)
            memory.evict()

    def _root(self) -> _Node:
        return self._memory.roots.setdefault(self._learned, _Node((), (), None))

    def _path(self, ids: tuple[int, ...]) -> list[tuple[_Node, int]]:
        """The nodes that ``ids`` pass, and how many tokens of each are taken."""
        node = self._memory.roots.get(self._learned)
        path: list[tuple[_Node, int]] = []
        at, limit = 0, len(ids) - 1
        while node is not None and at < limit:
            node = node.children.get(ids[at])
            if node is None:
                break
            taken = min(_shared_length(node.ids, ids, at), limit - at)
            path.append((node, taken))
            at += taken
            if taken < len(node.ids):
                break
        return path if at >= MIN_CACHED_TOKENS else []

    def _split(self, node: _Node, at: int) -> _Node:
        """Cut a node in two after ``at`` tokens; returns the upper one, which is new."""
        assert node.parent is not None
        memory, length = self._memory, len(node.ids)
        memory.bytes -= node.bytes
        upper = _Node(node.ids[:at], _copy_tokens(node.layers, 0, at), node.parent)
        node.parent.children[node.ids[0]] = upper
        node.ids, node.layers = node.ids[at:], _copy_tokens(node.layers, at, length)
        node.parent = upper
        upper.children[node.ids[0]] = node
        memory.bytes += upper.bytes + node.bytes
        return upper


def _shared_length(segment: tuple[int, ...], ids: tuple[int, ...], at: int) -> int:
    """How many tokens of a node's segment ``ids`` have from ``at`` on."""
    part = ids[at : at + len(segment)]
    if part == segment:
        return len(segment)
    for index, (own, other) in enumerate(zip(segment, part, strict=False)):
        if own != other:
            return index
    return len(part)


def _copy_tokens(layers: Sequence[LayerKV], start: int, end: int) -> tuple[LayerKV, ...]:
    """Tokens ``start`` to ``end`` of a state, without the buffer they lie in and its graph."""

    def own(part: Tensor) -> Tensor:
        return part.detach()[:, :, start:end].clone(memory_format=torch.contiguous_format)

    return tuple((own(keys), own(values)) for keys, values in layers)


def _join(segments: Sequence[tuple[tuple[LayerKV, ...], int]]) -> Iterator[LayerKV]:
    """The layers of a path's segments, one after the other."""
    for layer in range(len(segments[0][0])):
        keys, values = (
            [layers[layer][part][:, :, :taken] for layers, taken in segments] for part in (0, 1)
        )
        alone = len(segments) == 1
        yield (keys[0], values[0]) if alone else (torch.cat(keys, dim=2), torch.cat(values, dim=2))


def _state_bytes(state: KVState) -> int:
    return sum(keys.nbytes + values.nbytes for keys, values in state.layers)
