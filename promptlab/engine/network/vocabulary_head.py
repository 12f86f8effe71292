"""The layer that turns features into logits of the vocabulary."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_MAX_PRODUCTS = 4_000_000
"""So many products of two numbers are held in memory at a time."""
_MAX_LOGITS = 1 << 18
"""So many logits are summed at a time on a CPU: a megabyte in fp32, which its caches hold."""


class VocabularyHead:
    """A model's output layer, read in fp32. Raises `TypeError` for a model without one."""

    def __init__(self, model: Any) -> None:
        self.layer = model.get_output_embeddings()
        if self.layer is None:
            raise TypeError(f"{type(model).__name__} has no vocabulary head")

    def rows(self, ids: Int[Tensor, " token"]) -> Float[Tensor, "token dim"]:
        """The weight rows of ``ids`` in fp32."""
        rows: Tensor = self.layer.weight[ids].float()
        return rows

    def bias(self, ids: Int[Tensor, " token"]) -> Float[Tensor, " token"]:
        """The bias at ``ids`` in fp32 (zeros if there is none)."""
        bias: Tensor | None = getattr(self.layer, "bias", None)
        return torch.zeros(len(ids), device=ids.device) if bias is None else bias[ids].float()

    def logits(self, features: Float[Tensor, "row dim"]) -> Float[Tensor, "row vocab"]:
        """Logits of the whole vocabulary in fp32, multiplied in the weights' own format."""
        weight: Tensor = self.layer.weight
        logits = (features.to(weight.device, weight.dtype) @ weight.T).float()
        bias: Tensor | None = getattr(self.layer, "bias", None)
        return logits if bias is None else logits + bias.float()


def batch_invariant_products(
    features: Float[np.ndarray, "slot dim"], rows: Float[np.ndarray, "token dim"]
) -> Float[np.ndarray, "slot token"]:
    """The inner product of every feature with every row, in fp64.

    Each is a sum of its own: a matrix product's last bits depend on how many rows and columns it
    has, so the same answer to the same prompt would be another number beside other answers.
    """
    wide = features.astype(np.float64)
    found = np.empty((len(features), len(rows)))
    step = max(1, _MAX_PRODUCTS // max(1, features.size))
    for start in range(0, len(rows), step):
        part = rows[start : start + step].astype(np.float64)
        found[:, start : start + step] = (wide[:, None, :] * part[None]).sum(axis=-1)
    return found


def log_normalisers(logits: Float[Tensor, "row vocab"]) -> Float[Tensor, " row"]:
    """The logarithm of the sum of the exponentials of every row, in fp32.

    On a CPU few rows go at a time: the passes over a vocabulary's logits then stay in its caches,
    and the numbers are the same to the last bit.
    """
    rows = max(1, _MAX_LOGITS // max(1, logits.shape[-1]))
    if logits.device.type != "cpu" or len(logits) <= rows:
        return logits.float().logsumexp(dim=-1)
    return torch.cat([part.float().logsumexp(dim=-1) for part in logits.split(rows)])
