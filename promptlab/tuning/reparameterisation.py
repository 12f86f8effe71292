"""Encoders that learned vectors go through while they are trained (P-tuning, prefix tuning)."""

from __future__ import annotations

from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

EncoderName = Literal["none", "mlp", "lstm"]


class PromptEncoder(nn.Module):
    """Adds to the starting vectors what a small network makes of trainable embeddings.

    *mlp*: two layers (Li & Liang 2021, eq. 3.12 of the book). *lstm*: a bidirectional LSTM of two
    layers, then the two-layer head (Liu et al. 2021, P-tuning). The last layer starts at zero, so
    training starts exactly at the initialisation; after training only the sum is kept.
    """

    def __init__(
        self,
        name: Literal["mlp", "lstm"],
        start: Float[Tensor, "token dim"],
        *,
        hidden: int,
        seed: int,
    ) -> None:
        super().__init__()
        count, width = start.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embeddings = nn.Parameter(torch.randn(count, hidden) * hidden**-0.5)
            self.lstm: nn.LSTM | None = None
            if name == "lstm":
                half = max(1, hidden // 2)
                self.lstm = nn.LSTM(hidden, half, 2, bidirectional=True, batch_first=True)
                hidden = 2 * half
            self.body = nn.Sequential(
                nn.Linear(self.embeddings.shape[1] if name == "mlp" else hidden, hidden), nn.Tanh()
            )
            self.last = nn.Linear(hidden, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.register_buffer("start", start.detach().cpu().clone())

    def forward(self) -> Float[Tensor, "token dim"]:
        """The vectors as they are now."""
        rows: Tensor = self.embeddings
        if self.lstm is not None:
            rows = self.lstm(rows[None])[0][0]
        start = cast(Tensor, self.start)
        return start + self.last(self.body(rows))


class DirectParameters(nn.Module):
    """The vectors themselves."""

    def __init__(self, start: Float[Tensor, "token dim"]) -> None:
        super().__init__()
        self.vectors = nn.Parameter(start.detach().cpu().clone())

    def forward(self) -> Float[Tensor, "token dim"]:
        """The vectors as they are now."""
        return self.vectors


def make_encoder(
    name: EncoderName, start: Float[Tensor, "token dim"], *, hidden: int, seed: int
) -> DirectParameters | PromptEncoder:
    """Vectors ``[token, dim]`` that start at ``start``, trained directly or through an encoder."""
    if name == "none":
        return DirectParameters(start)
    return PromptEncoder(name, start, hidden=hidden, seed=seed)
