"""Rows with branches: a context, then continuations that see it and not each other."""

from __future__ import annotations

import torch
from torch import Tensor

from promptlab.engine.scoring.request import ScoringRequest

Branch = tuple[tuple[int, ...], int]
"""A continuation and the column where its branch begins."""


def branched_row_length(request: ScoringRequest, start: int) -> int:
    """Tokens of the row that `branched_row` makes."""
    return len(request.context.ids) - start + sum(len(c) - 1 for c in request.continuations)


def branched_row(request: ScoringRequest, start: int) -> tuple[list[int], list[Branch]]:
    """The row's tokens after the prefix: the context's rest, then every branch."""
    tokens = list(request.context.ids[start:])
    spans: list[Branch] = []
    for continuation in request.continuations:
        if len(continuation) > 1:
            spans.append((continuation, len(tokens)))
            tokens.extend(continuation[:-1])
    return tokens, spans


def branch_mask(own: list[int], branches: list[list[Branch]], width: int) -> tuple[Tensor, Tensor]:
    """Who sees whom ``[row, 1, token, token]`` and positions from 0 on ``[row, token]``."""
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = causal.repeat(len(own), 1, 1)
    positions = torch.arange(width).repeat(len(own), 1)
    for row, (length, spans) in enumerate(zip(own, branches, strict=True)):
        for continuation, column in spans:
            end = column + len(continuation) - 1
            mask[row, column:end, length:column] = False
            positions[row, column:end] = torch.arange(length, length + end - column)
    return mask[:, None], positions
