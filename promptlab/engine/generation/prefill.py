"""Prefill: every distinct context is run once, before tokens are generated after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.compat.transformers import (
    Cache,
    DynamicCache,
    DynamicLayer,
    EncoderDecoderCache,
    EncoderOutput,
)
from promptlab.engine.kv_cache.prefix_tree import MIN_SHARED_TOKENS, PrefixNode, prefix_tree
from promptlab.engine.kv_cache.radix_cache import MIN_CACHED_TOKENS, NO_TOKEN_ID, RadixKVCache
from promptlab.engine.kv_cache.stacking import mask_after_prefix, stack_kv_states
from promptlab.engine.kv_cache.state import KVState, cache_from_state, to_kv_state
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.tensors import pad_rows, padding_mask


@dataclass(frozen=True)
class PrefilledContext:
    """A context that has gone through the network.

    Attributes:
        index: the context's number among those that were given.
        state: keys and values of its tokens (of an encoder-decoder: of the decoder's first one).
        logits: logits ``[vocab]`` of the next token.
        crossed: keys and values of the encoder's output; ``None`` for causal models.
    """

    index: int
    state: KVState
    logits: Float[Tensor, " vocab"]
    cross_state: KVState | None = None


class CausalPrefill:
    """Reads contexts of a causal model, shared beginnings once, as they are wanted.

    What earlier calls have kept is not computed again. ``computed`` counts the tokens that went
    through the network.
    """

    def __init__(
        self,
        network: Network,
        budget: TokenBudget,
        *,
        prefix: KVState | None,
        kv_cache: RadixKVCache | None,
        vectors: Tensor | None,
    ) -> None:
        self.network, self.budget = network, budget
        self.prefix, self.kv_cache, self.vectors = prefix, kv_cache, vectors
        self.computed_tokens = 0

    def run(self, contexts: Sequence[tuple[int, ...]]) -> Iterator[PrefilledContext]:
        """Openings of distinct contexts, batch by batch, no batch before it is asked for."""
        start = self.prefix.length if self.prefix else 0
        tree = prefix_tree([ids[start:] for ids in contexts])
        yield from self._walk(tree, contexts[0][:start], contexts, self.prefix)

    def _walk(
        self,
        node: PrefixNode,
        path: tuple[int, ...],
        contexts: Sequence[tuple[int, ...]],
        state: KVState | None,
    ) -> Iterator[PrefilledContext]:
        path += node.ids
        if node.ids:
            state = self._shared_state(path, state)
        states = [self._cached_state(contexts[index], state) for index in node.rows]
        lengths = [
            len(contexts[index]) - (known.length if known else 0)
            for index, known in zip(node.rows, states, strict=True)
        ]
        for batch in self.budget.batches(lengths):
            rows = [node.rows[item] for item in batch]
            yield from self._prefill_rows(
                rows, [contexts[row] for row in rows], [states[item] for item in batch]
            )
        for child in node.children:
            yield from self._walk(child, path, contexts, state)

    def _shared_state(self, path: tuple[int, ...], state: KVState | None) -> KVState:
        """The state of what several contexts begin with; it is kept for later calls."""
        state = self._cached_state((*path, NO_TOKEN_ID), state)
        start = state.length if state else 0
        if start == len(path):
            assert state is not None
            return state
        cache = cache_from_state(state, self.network.layer_count)
        ids = torch.tensor([path[start:]], device=self.network.device)
        positions = torch.arange(start, len(path), device=ids.device)[None]
        with self.network.use_virtual_tokens(self.vectors):
            self.network.run_body(
                input_ids=ids,
                position_ids=positions,
                **self.network.cache_inputs(cache),
                use_cache=True,
            )
        self.computed_tokens += len(path) - start
        found = to_kv_state(cache)
        if self.kv_cache is not None and len(path) - start >= MIN_SHARED_TOKENS:
            self.kv_cache.insert(path, found)
        return found

    def _cached_state(self, ids: tuple[int, ...], state: KVState | None) -> KVState | None:
        """What was kept of a context, if that is worthwhile beyond ``state``."""
        start = state.length if state else 0
        if self.kv_cache is None or self.kv_cache.cached_length(ids) < start + MIN_CACHED_TOKENS:
            return state
        found = self.kv_cache.longest_prefix(ids)
        return found if found is not None and found.length > start else state

    def _prefill_rows(
        self,
        indices: Sequence[int],
        contexts: Sequence[tuple[int, ...]],
        states: Sequence[KVState | None],
    ) -> Iterator[PrefilledContext]:
        """One batch, each row after its own state; padded on the right, which nobody sees."""
        network, device = self.network, self.network.device
        starts = [state.length if state else 0 for state in states]
        own = [ids[start:] for ids, start in zip(contexts, starts, strict=True)]
        ids = pad_rows(own, device)
        rows, width = ids.shape
        cache = cache_from_state(
            stack_kv_states(states) if any(starts) else None, network.layer_count
        )
        inputs = {**network.cache_inputs(cache), "use_cache": True}
        if any(starts):
            mask = torch.ones(width, width, dtype=torch.bool).tril().expand(rows, 1, -1, -1)
            inputs["attention_mask"] = mask_after_prefix(network, mask, states)
        positions = torch.arange(width)[None] + torch.tensor(starts)[:, None]
        with network.use_virtual_tokens(self.vectors):
            logits = network.logits(
                torch.arange(rows, device=device),
                torch.tensor([len(row) - 1 for row in own], device=device),
                input_ids=ids,
                position_ids=positions.to(device),
                **inputs,
            )
        self.computed_tokens += sum(map(len, own))
        whole = to_kv_state(cache)
        longest = max(starts)
        for row, (index, start, tokens) in enumerate(zip(indices, starts, own, strict=True)):
            yield PrefilledContext(
                index, _row_state(whole, row, longest - start, longest + len(tokens)), logits[row]
            )


class EncoderDecoderPrefill:
    """Encodes contexts of an encoder-decoder, and feeds the decoder its start token.

    A learned prefix stands before the start token in the decoder's self-attention.
    """

    def __init__(
        self,
        network: Network,
        budget: TokenBudget,
        *,
        start: int,
        prefix: KVState | None,
        vectors: Tensor | None,
    ) -> None:
        self.network, self.budget = network, budget
        self.start, self.prefix, self.vectors = start, prefix, vectors
        self.computed_tokens = 0

    def run(self, contexts: Sequence[tuple[int, ...]]) -> Iterator[PrefilledContext]:
        """Openings of distinct contexts, batch by batch, no batch before it is asked for."""
        for batch in self.budget.batches([len(ids) + 1 for ids in contexts]):
            yield from self._prefill_rows(batch, [contexts[index] for index in batch])

    def _prefill_rows(
        self, indices: Sequence[int], contexts: Sequence[tuple[int, ...]]
    ) -> Iterator[PrefilledContext]:
        network, device = self.network, self.network.device
        mask, rows = padding_mask(contexts, device), torch.arange(len(contexts), device=device)
        own = cache_from_state(self.prefix, network.layer_count)
        cache = EncoderDecoderCache(own, DynamicCache())
        with network.use_virtual_tokens(self.vectors):
            encoded = network.run_encoder(input_ids=pad_rows(contexts, device), attention_mask=mask)
            logits = network.logits(
                rows,
                torch.zeros_like(rows),
                encoder_outputs=EncoderOutput(last_hidden_state=encoded),
                attention_mask=mask,
                decoder_input_ids=torch.full((len(contexts), 1), self.start, device=device),
                **network.cache_inputs(cache),
                use_cache=True,
            )
        self.computed_tokens += sum(map(len, contexts)) + len(contexts)
        whole, crossed = to_kv_state(own), _cross_state(cache.cross_attention_cache)
        for row, (index, ids) in enumerate(zip(indices, contexts, strict=True)):
            state = _row_state(whole, row, 0, whole.length)
            yield PrefilledContext(index, state, logits[row], _row_state(crossed, row, 0, len(ids)))


def _cross_state(cache: Cache) -> KVState:
    """Keys and values of the encoder's output."""
    layers = []
    for layer in cache.layers:
        assert isinstance(layer, DynamicLayer)
        assert layer.keys is not None and layer.values is not None
        layers.append((layer.keys, layer.values))
    return KVState(tuple(layers), layers[0][0].shape[2])


def _row_state(state: KVState, row: int, start: int, end: int) -> KVState:
    """Tokens ``start`` to ``end`` of one row, as views."""
    layers = [
        (keys[row : row + 1, :, start:end], values[row : row + 1, :, start:end])
        for keys, values in state.layers
    ]
    return KVState(tuple(layers), end - start)
