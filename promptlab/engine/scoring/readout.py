"""Slots that were read once: any single token's log-probability there is one small product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from promptlab.engine.network.network import Network
from promptlab.engine.scoring.request import ScoringResult


@dataclass(frozen=True, eq=False)
class SlotReadout:
    """``features`` ``[slot, dim]`` and ``log_normalisers`` ``[slot]`` in nats, both in fp32."""

    features: Float[np.ndarray, "slot dim"]
    log_normalisers: Float[np.ndarray, " slot"]

    @classmethod
    def from_results(cls, results: Sequence[ScoringResult]) -> SlotReadout:
        """What the engine has replied, as two arrays."""
        normalisers = np.array([result.log_normaliser for result in results], dtype=np.float32)
        return cls(np.stack([result.feature for result in results]), normalisers)

    def logprobs(self, network: Network, tokens: Sequence[int]) -> Float[np.ndarray, "slot token"]:
        """Log-probabilities in nats of single tokens, for a network whose head is affine."""
        ids = torch.tensor(list(tokens), device=network.device)
        rows = network.vocabulary_head.rows(ids).cpu().numpy()
        bias = network.vocabulary_head.bias(ids).cpu().numpy()
        found: Float[np.ndarray, "slot token"] = self.features @ rows.T + bias
        return found - self.log_normalisers[:, None]
