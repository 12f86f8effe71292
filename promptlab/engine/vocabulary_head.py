"""The layer that turns features into logits of the vocabulary."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
