"""The next token of every row: greedy or drawn, whatever else stands in the batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from promptlab.prompts.decoding import Decoding

BLOCK_TOKENS = 256
"""Tokens of the vocabulary that are summed up at once when one of them is drawn."""
NUCLEUS_CANDIDATES = 1024
"""So many of the likeliest tokens nearly always hold the nucleus."""


class PhiloxStream:
    """Uniform numbers in [0, 1) that depend on seed, sample number and context ids alone.

    A counter-based generator (Philox), so the n-th number is the same wherever it is drawn.
    """

    def __init__(self, seed: int, sample: int, ids: Sequence[int]) -> None:
        text = f"{seed} {sample} {' '.join(map(str, ids))}"
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        self._numbers = np.random.Philox(key=int.from_bytes(key, "little"))

    def next(self) -> float:
        """The number of the next step."""
        return int(self._numbers.random_raw() >> 11) * 2.0**-53


def sample_tokens(
    logits: Float[Tensor, "row vocab"], decoding: Decoding, numbers: Sequence[float]
) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"]]:
    """The rows' next tokens, and their log-probabilities in nats at temperature 1.

    ``numbers`` are uniform in [0, 1), one a row (unused when greedy). A token is drawn by the
    inverse of the distribution in the order of token ids, cut to ``top_k`` and ``top_p``.
    """
    raw = logits.float()
    if decoding.temperature == 0:
        tokens = raw.argmax(-1)
    else:
        uniform = torch.tensor(numbers, dtype=torch.float64, device=raw.device)
        highest = raw.amax(-1, keepdim=True)
        # A temperature that fp32 cannot hold would be 0, and 0 / 0 no number.
        temperature = max(decoding.temperature, torch.finfo(raw.dtype).tiny)
        weights = ((raw - highest) / temperature).exp_()
        if decoding.top_k or (decoding.top_p or 1.0) < 1.0:
            tokens = _draw_truncated(weights, decoding, uniform)
        else:
            tokens = _draw(weights, uniform)
    found = raw.gather(1, tokens[:, None])[:, 0] - raw.logsumexp(-1)
    return tokens, found


def _draw(weights: Float[Tensor, "row vocab"], uniform: Float[Tensor, " row"]) -> Tensor:
    """Tokens drawn in proportion to weights; first a block of them, then the token in it.

    Sums over 256 tokens are exact enough in fp32, running ones over a vocabulary are not.
    """
    rows, size = weights.shape
    if size % BLOCK_TOKENS:
        weights = torch.nn.functional.pad(weights, (0, BLOCK_TOKENS - size % BLOCK_TOKENS))
    blocks = weights.view(rows, -1, BLOCK_TOKENS)
    ends = blocks.sum(-1, dtype=torch.float32).double().cumsum(-1)
    wanted = uniform[:, None] * ends[:, -1:]
    block = _first_above(ends, wanted)
    before = torch.where(block > 0, ends.gather(1, (block - 1).clamp(min=0)), 0.0)
    inside = blocks.gather(1, block[:, :, None].expand(-1, -1, BLOCK_TOKENS))[:, 0].double()
    # The block's own sum may end a hair below what is wanted: then it is its last weight.
    last = (inside > 0).double().cumsum(-1).argmax(-1, keepdim=True)
    place = _first_above(inside.cumsum(-1), wanted - before).minimum(last)
    return (block * BLOCK_TOKENS + place)[:, 0]


def _draw_truncated(
    weights: Float[Tensor, "row vocab"], decoding: Decoding, uniform: Float[Tensor, " row"]
) -> Tensor:
    """Tokens drawn among the ``top_k`` likeliest, and of these the nucleus of ``top_p``."""
    size = weights.shape[1]
    mass = decoding.top_p or 1.0
    count = min(decoding.top_k or NUCLEUS_CANDIDATES, size)
    best, ids = weights.topk(count, dim=-1)
    total = (best if decoding.top_k else weights).sum(-1, dtype=torch.float64)
    ends = best.double().cumsum(-1)
    if not decoding.top_k and count < size and bool((ends[:, -1] < mass * total).any()):
        best, ids = weights.sort(-1, descending=True)
        ends = best.double().cumsum(-1)
    outside = ends - best.double() >= mass * total[:, None]
    outside[:, 0] = False
    kept = best.double().masked_fill_(outside, 0.0)
    ids, order = ids.sort(-1)
    ends = kept.gather(1, order).cumsum(-1)
    place = _first_above(ends, uniform[:, None] * ends[:, -1:])
    return ids.gather(1, place)[:, 0]


def _first_above(ends: Float[Tensor, "row end"], wanted: Float[Tensor, "row 1"]) -> Tensor:
    """Index of the first running sum above ``wanted``, ``[row, 1]``; the last if none is."""
    found = torch.searchsorted(ends.contiguous(), wanted.contiguous(), right=True)
    return found.clamp(max=ends.shape[1] - 1)
