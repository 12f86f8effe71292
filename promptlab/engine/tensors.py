"""Token ids as padded tensors, and masks over them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def pad_rows(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "row token"]:
    """Token ids padded on the right with 0."""
    ids = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids.to(device)


def padding_mask(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "row token"]:
    """1 where a row of `pad_rows` has a token."""
    lengths = torch.tensor([len(row) for row in rows])
    return (torch.arange(int(lengths.max()))[None] < lengths[:, None]).long().to(device)


def additive_mask(mask: Bool[Tensor, "*shape"], dtype: torch.dtype) -> Tensor:
    """A boolean mask as what is added to the attention scores."""
    full = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return full.masked_fill_(~mask, torch.finfo(dtype).min)
