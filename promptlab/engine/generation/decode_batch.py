"""The decode batch: contexts are added, every row grows by a token a step, rows are removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.compat.transformers import Cache, DynamicLayer, EncoderDecoderCache, EncoderOutput
from promptlab.engine.generation.kv_slots import GROWTH_COLUMNS, KVBuffers, KVSlotPool
from promptlab.engine.generation.prefill import PrefilledContext
from promptlab.engine.kv_cache.state import KVState, LayerKV
from promptlab.engine.network.network import Network
from promptlab.engine.tensors import additive_mask


class CausalDecodeBatch:
    """Rows of a causal model; one may join whenever another has left."""

    def __init__(
        self,
        network: Network,
        vectors: Tensor | None,
        *,
        rows: int,
        columns: int,
        can_join_late: bool = True,
    ) -> None:
        self.network, self.vectors = network, vectors
        self.can_join_late = can_join_late
        self.slots = KVSlotPool(rows, columns, keeps_first_column=not can_join_late)

    def add(self, prefilled: PrefilledContext) -> None:
        """Put a context that was read into the next free row."""
        self.slots.add(prefilled.state)

    def remove(self, row: int) -> None:
        """Free a row; the last one takes its place."""
        self.slots.remove(row)

    def state(self, row: int) -> KVState:
        """Keys and values of all that a row has read, as views."""
        return self.slots.row_state(row)

    def step(self, tokens: Sequence[int]) -> Float[Tensor, "row vocab"]:
        """Feed every row its token; the logits of what comes next."""
        slots, network = self.slots, self.network
        slots.make_room_for_step()
        ids, mask, positions = slots.step_inputs(tokens, network.dtype, network.device)
        rows = torch.arange(len(tokens), device=ids.device)
        with network.use_virtual_tokens(self.vectors):
            logits = network.logits(
                rows, torch.zeros_like(rows), **self._inputs(ids, mask, positions), use_cache=True
            )
        slots.column += 1
        return logits

    def _inputs(self, ids: Tensor, mask: Tensor, positions: Tensor) -> dict[str, Any]:
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            **self.network.cache_inputs(self.slots.cache()),
        }


class EncoderDecoderBatch(CausalDecodeBatch):
    """Rows of an encoder-decoder's decoder, each with its own encoder's output.

    With relative positions a row may join late; with absolute ones (``can_join_late`` false) all
    rows begin together, because the decoder counts positions from the first column.
    """

    def __init__(
        self,
        network: Network,
        vectors: Tensor | None,
        *,
        rows: int,
        columns: int,
        can_join_late: bool,
    ) -> None:
        super().__init__(network, vectors, rows=rows, columns=columns, can_join_late=can_join_late)
        self.cross_buffers = KVBuffers(rows, GROWTH_COLUMNS)
        self.lengths: list[int] = []

    def add(self, prefilled: PrefilledContext) -> None:
        """Put a context that was read into the next free row."""
        super().add(prefilled)
        assert prefilled.cross_state is not None
        length = prefilled.cross_state.length
        if length > self.cross_buffers.columns:
            used, columns = (
                self.cross_buffers.columns,
                -(-length // GROWTH_COLUMNS) * GROWTH_COLUMNS,
            )
            self.cross_buffers.shift(len(self.lengths), 0, used, 0, columns)
        self.cross_buffers.put(len(self.lengths), 0, prefilled.cross_state)
        self.lengths.append(length)

    def remove(self, row: int) -> None:
        """Free a row; the last one takes its place."""
        super().remove(row)
        last = len(self.lengths) - 1
        if row != last:
            self.cross_buffers.move(last, row)
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()

    def _inputs(self, ids: Tensor, mask: Tensor, positions: Tensor) -> dict[str, Any]:
        rows, longest = len(self.lengths), max(self.lengths)
        lengths = torch.tensor(self.lengths, device=ids.device)
        seen = torch.arange(longest, device=ids.device)[None] < lengths[:, None]
        layers: list[Any] = [
            StaticCrossAttentionLayer((keys[:rows, :, :longest], values[:rows, :, :longest]))
            for keys, values in self.cross_buffers.layers
        ]
        # Its keys and values are known: of the encoder's output only the shape is read.
        shape = torch.zeros((), dtype=self.network.dtype, device=ids.device)
        encoded = shape.expand(rows, longest, self.network.virtual_tokens.width)
        both = EncoderDecoderCache(self.slots.cache(), Cache(layers=layers))
        return {
            "decoder_input_ids": ids,
            "decoder_attention_mask": mask,
            "encoder_outputs": EncoderOutput(last_hidden_state=encoded),
            "attention_mask": additive_mask(seen, self.network.dtype)[:, None, None],
            **self.network.cache_inputs(both),
        }


class StaticCrossAttentionLayer(DynamicLayer):
    """Keys and values of an encoder's output, which never change."""

    def __init__(self, state: LayerKV) -> None:
        super().__init__()
        self.keys, self.values = state
        self.is_initialized = True

    def get_seq_length(self) -> int:
        """Tokens of the encoder's output: as many as there are keys."""
        return int(self.keys.shape[-2]) if self.keys is not None else 0
