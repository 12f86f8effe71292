"""Text embeddings: one vector of the last layer for each text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.finite_check import is_finite
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import pad_rows, padding_mask

Pooling = Literal["first", "last", "mean"]
"""The token whose state stands for the text; *mean* is the mean of all."""


class TextEmbedder:
    """Reads the last hidden states of texts, given as token ids, at one place each.

    An encoder-decoder model is read at its encoder. The vocabulary head is left out.
    """

    def __init__(self, network: Network, runner: Runner, pooling: Pooling) -> None:
        self.network = network
        self.pooling = pooling
        self.budget = TokenBudget(runner.budget.tokens)
        self.computed_tokens = 0

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.network.model.config.get_text_config().hidden_size)

    def embed_with_graph(self, rows: Sequence[tuple[int, ...]]) -> Float[Tensor, "row dim"]:
        """The states of rows in one forward, in fp32, with their graph."""
        ids = pad_rows(rows, self.network.device)
        mask = padding_mask(rows, self.network.device)
        inputs: dict[str, Any] = {"input_ids": ids}
        if self.pooling == "last":  # nothing to the left sees the padding
            inputs["use_cache"] = False
        else:
            inputs["attention_mask"] = mask
        states = self.network.hidden_states_with_graph(**inputs)
        self.computed_tokens += sum(map(len, rows))
        if self.pooling == "mean":
            weights = mask[..., None].to(states.dtype)
            return (states * weights).sum(1) / weights.sum(1)
        if self.pooling == "first":
            return states[:, 0]
        return states[torch.arange(len(rows), device=ids.device), mask.sum(1) - 1]

    @torch.no_grad()
    def embed(self, rows: Sequence[tuple[int, ...]]) -> Float[Tensor, "row dim"]:
        """The states of any number of rows on the CPU, in batches of the token budget."""
        found = torch.zeros((len(rows), self.width))

        def work(batch: list[int]) -> None:
            found[batch] = self.embed_with_graph([rows[index] for index in batch]).cpu()

        self.budget.run([len(row) for row in rows], work)
        if not is_finite(found):
            raise self.network.not_finite_error("the states of its last layer")
        return found
