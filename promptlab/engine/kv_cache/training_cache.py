"""Keys and values of frozen beginnings, computed once and kept while something is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from promptlab.engine.kv_cache.state import KVState, cache_from_state, to_kv_state
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.tensors import pad_rows

MIN_FIXED_TOKENS = 8
"""Fewer fixed tokens are not worth keeping."""
MAX_CPU_BYTES = 2 * 1024**3
MAX_CUDA_BYTES = 8 * 1024**3


class TrainingPrefixCache:
    """The states of token sequences on a causal network, computed once and kept.

    What stands before all that is learned is the same in every epoch: its keys and values are
    kept, and only what follows goes through the network again. At most ``limit`` bytes are kept;
    what comes after that is computed anew with its row.
    """

    def __init__(self, network: Network, budget: TokenBudget, max_bytes: int | None = None) -> None:
        self.network = network
        self.budget = TokenBudget(budget.tokens)
        on_gpu = network.device.type == "cuda"
        self.max_bytes = (
            max_bytes if max_bytes is not None else MAX_CUDA_BYTES if on_gpu else MAX_CPU_BYTES
        )
        self.used_bytes = 0
        self.computed_tokens = 0
        self._states: dict[tuple[int, ...], KVState] = {}

    def prepare(self, sequences: Sequence[tuple[int, ...]]) -> None:
        """Compute the states that are not known yet, as far as there is room."""
        new = [ids for ids in dict.fromkeys(sequences) if ids not in self._states]
        if not new or self.used_bytes >= self.max_bytes:
            return
        self.budget.run(
            [len(ids) for ids in new], lambda batch: self._compute([new[i] for i in batch])
        )

    def get(self, ids: tuple[int, ...]) -> KVState | None:
        """The state of a prepared sequence; ``None`` if it was not kept."""
        return self._states.get(ids)

    def _compute(self, rows: Sequence[tuple[int, ...]]) -> None:
        if self.used_bytes >= self.max_bytes:
            return
        cache = cache_from_state(None, self.network.layer_count)
        ids = pad_rows(rows, self.network.device)
        self.network.run_body(input_ids=ids, **self.network.cache_inputs(cache), use_cache=True)
        whole = to_kv_state(cache)
        for row, sequence in enumerate(rows):
            # What was computed in inference mode may not enter a graph, a copy may.
            layers = tuple(
                (_copy_row(keys, row, len(sequence)), _copy_row(values, row, len(sequence)))
                for keys, values in whole.layers
            )
            self._states[sequence] = KVState(layers, len(sequence))
            self.used_bytes += sum(k.nbytes + v.nbytes for k, v in layers)
            self.computed_tokens += len(sequence)


def _copy_row(state: torch.Tensor, row: int, length: int) -> torch.Tensor:
    made = torch.empty(
        (1, state.shape[1], length, state.shape[3]), dtype=state.dtype, device=state.device
    )
    made.copy_(state[row : row + 1, :, :length])
    return made
