"""Shared prefixes: computed once, attended by every row that starts with them.

Exact in the forward and in the gradient: a row's keys and values are the prefix's followed by
its own, as if the row had been computed whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.compat.transformers import Cache, DynamicLayer, EncoderDecoderCache
from promptlab.engine.network.network import Network
from promptlab.engine.tensors import pad_rows
from promptlab.errors import CapabilityError

LayerKV = tuple[Tensor, Tensor]
"""Keys and values of one layer, each ``[1, head, token, dim]`` (or as many rows as the batch)."""


class PrefixCacheLayer(DynamicLayer):
    """A cache layer that lends its prefix to every row and stores nothing.

    A prefix of one row is lent to all. Without ``counts`` its tokens take no positions: absolute
    positions of masked models begin after it with 0, as without it.
    """

    def __init__(self, state: LayerKV | None, *, counts: bool = True) -> None:
        super().__init__()
        self.prefix = state
        self.full: LayerKV | None = None
        self.length = 0 if state is None else state[0].shape[-2]
        self.seen = self.length if counts else 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> LayerKV:
        """Prefix and new states joined, ``[row, head, prefix + token, dim]``; never grows."""
        if self.prefix is None:
            self.full = (key_states, value_states)
        else:
            rows = key_states.shape[0]
            keys, values = (
                state.to(key_states.dtype).expand(rows, -1, -1, -1) for state in self.prefix
            )
            self.full = (
                torch.cat([keys, key_states], dim=-2),
                torch.cat([values, value_states], dim=-2),
            )
        return self.full

    def layer_kv(self) -> LayerKV:
        """Prefix and own states of the last forward. Raises `CapabilityError` if there are none."""
        if self.full is None:
            raise CapabilityError(
                "the model gives no keys and values to the cache that it takes, so nothing can be "
                "computed once for several texts"
            )
        return self.full

    def get_seq_length(self) -> int:
        """Tokens in the prefix, as far as they take positions."""
        return self.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Key length and offset for a query of the given length."""
        return self.length + query_length, 0


@dataclass(frozen=True)
class KVState:
    """Keys and values of a computed prefix, layer by layer, and its length in tokens."""

    layers: tuple[LayerKV, ...]
    length: int


def cache_from_state(state: KVState | None, layers: int, *, takes_positions: bool = True) -> Cache:
    """A transformers cache over ``state`` (or over nothing) that never grows."""
    states: Sequence[LayerKV | None] = [None] * layers if state is None else state.layers
    return Cache(layers=[PrefixCacheLayer(layer, counts=takes_positions) for layer in states])


def kv_state_from_prefix(prefix: Float[Tensor, "layer 2 head token dim"]) -> KVState:
    """A learned prefix as what the layers attend to."""
    layers = tuple((layer[0][None], layer[1][None]) for layer in prefix)
    return KVState(layers, prefix.shape[-2])


def to_kv_state(cache: Cache) -> KVState:
    """The prefix state that one forward through a `cache_from_state` has produced."""
    layers = tuple(cast(PrefixCacheLayer, layer).layer_kv() for layer in cache.layers)
    return KVState(layers, layers[0][0].shape[-2])


def kv_states_with_graph(
    network: Network, rows: Sequence[tuple[int, ...]]
) -> list[Float[Tensor, "layer 2 head length size"]]:
    """Keys and values of token rows on a causal network, in one forward, with their graph."""
    cache = cache_from_state(None, network.layer_count)
    ids = pad_rows(rows, network.device)
    network.run_body_with_graph(input_ids=ids, **network.cache_inputs(cache), use_cache=True)
    layers = to_kv_state(cache).layers
    return [
        torch.stack(
            [
                torch.stack([keys[index, :, : len(row)], values[index, :, : len(row)]])
                for keys, values in layers
            ]
        )
        for index, row in enumerate(rows)
    ]


def prefix_shape(network: Network) -> tuple[int, int, int] | None:
    """Layers, key heads and head size of a prefix for this network; ``None`` if it takes none.

    Found by running the model once with an empty cache that notes what it is given.
    """
    cache, given = recording_cache(network)
    if not network.can_cache or not network.accepts_cache(given):
        return None
    layers = [cast(PrefixCacheLayer, layer).full for layer in cache.layers]
    # Latent attention's keys are larger than its values; some models' layers differ.
    shapes = {
        None if part is None else (part.shape[1], part.shape[3])
        for full in layers
        for part in (full or (None,))
    }
    if len(shapes) != 1 or None in shapes:
        return None
    heads, size = next(shape for shape in shapes if shape is not None)
    return len(layers), heads, size


def recording_cache(network: Network) -> tuple[Cache, Cache]:
    """A cache that makes layers as they are asked for, and what is given to the model with it."""
    cache = Cache(layer_class_to_replicate=_EmptyPrefixLayer)
    if not network.model.config.is_encoder_decoder:
        return cache, cache
    return cache, EncoderDecoderCache(cache, Cache(layer_class_to_replicate=_EmptyPrefixLayer))


class _EmptyPrefixLayer(PrefixCacheLayer):
    """A layer of nothing yet."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(None)
