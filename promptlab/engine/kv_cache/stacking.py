"""States of different rows in one batch: each row attends its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from promptlab.engine.kv_cache.state import KVState, LayerKV, cache_from_state
from promptlab.engine.network.network import Network
from promptlab.engine.tensors import additive_mask


def inputs_after_prefix(
    network: Network,
    mask: Tensor,
    states: Sequence[KVState | None],
    *,
    takes_positions: bool = True,
) -> dict[str, Any]:
    """Inputs for rows after states of their own: a cache, and who sees which of its tokens.

    ``mask`` is ``[row, 1, token, token]`` among the rows' own tokens.
    """
    inputs: dict[str, Any] = {"attention_mask": mask_after_prefix(network, mask, states)}
    if any(state is not None and state.length for state in states):
        cache = cache_from_state(
            stack_kv_states(states), network.layer_count, takes_positions=takes_positions
        )
        inputs |= {**network.cache_inputs(cache), "use_cache": True}
    return inputs


def mask_after_prefix(network: Network, mask: Tensor, states: Sequence[KVState | None]) -> Tensor:
    """Who sees which token, after states of their own, as what is added to attention scores.

    ``mask`` is ``[row, 1, token, token]`` among the rows' own tokens.
    """
    longest = max(state.length if state else 0 for state in states)
    lengths = torch.tensor([state.length if state else 0 for state in states])
    seen = torch.arange(longest)[None] >= (longest - lengths)[:, None]
    before = seen[:, None, None].expand(-1, 1, mask.shape[2], -1)
    whole = torch.cat([before, mask], dim=-1).to(network.device)
    return additive_mask(whole, network.dtype)


def stack_kv_states(states: Sequence[KVState | None]) -> KVState:
    """States of rows as one of many rows, padded on the left to the longest."""
    first = next(state for state in states if state is not None)
    if all(state is first for state in states):
        return first
    longest = max(state.length if state else 0 for state in states)
    shape = first.layers[0][0][:, :, :0]

    def rows(layer: int, part: int) -> Tensor:
        return _stack_tensors([s.layers[layer][part] if s else shape for s in states], longest)

    layers: list[LayerKV] = [(rows(layer, 0), rows(layer, 1)) for layer in range(len(first.layers))]
    return KVState(tuple(layers), longest)


def _stack_tensors(parts: Sequence[Tensor], longest: int) -> Tensor:
    """Keys or values ``[1, head, token, dim]`` of several rows; zeros on the left."""
    if any(part.requires_grad for part in parts):
        return torch.cat([pad(part, (0, 0, longest - part.shape[2], 0)) for part in parts])
    _, heads, _, size = parts[0].shape
    made = parts[0].new_zeros(len(parts), heads, longest, size)  # copied once, not twice
    for row, part in enumerate(parts):
        made[row, :, longest - part.shape[2] :] = part[0]
    return made
