"""Whether a network's gathered outputs and its head are what its plain forward gives."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from promptlab.engine.network.finite_check import has_finite_rows
from promptlab.engine.network.model_errors import MODEL_FAILURES, raise_own_mistake
from promptlab.engine.network.network import Network

TOLERANCE = 1e-3
"""Largest difference in nats, relative to the logits' spread, that is accepted."""


@torch.inference_mode()
def check_outputs(network: Network, inputs: dict[str, Any]) -> None:
    """Compare gathered and plain outputs on a small input; where they differ the plain are used.

    Says of the network whether its head is called as a module, whether its outputs can be
    gathered, and whether its head is affine. Raises what the plain forward raises.
    """
    hooks = network.hooks
    network.sample = inputs
    hooks.calls_head = True
    plain = network.plain_logits(**inputs)
    if not has_finite_rows(plain):
        raise network.not_finite_error("a few of its own tokens", inputs)
    if not _is_feature(network, hooks.feature, plain):
        hooks.calls_head = False
        network.plain_logits(**inputs)
    rows = torch.tensor([0, 0], device=network.device)
    columns = torch.tensor([0, plain.shape[1] - 1], device=network.device)
    assert hooks.feature is not None
    feature = hooks.feature[rows, columns].float()
    expected = plain[rows, columns].float()
    tolerance = TOLERANCE * max(1.0, float(expected.std()))
    if network.dtype != torch.float32:
        tolerance *= 100
    hooks.can_gather = _gathers_like(network, expected, rows, columns, tolerance)
    network.head_is_linear = False
    if hooks.calls_head:
        ids = torch.arange(network.head.weight.shape[0], device=network.device)
        product = feature @ network.head.weight.float().T + network.vocabulary_head.bias(ids)
        network.head_is_linear = _near(product, expected, tolerance)


def _is_feature(network: Network, found: Tensor | None, plain: Tensor) -> bool:
    """Whether what the head was given is a vector for every token (and not token ids)."""
    width = network.head.weight.shape[-1]
    return found is not None and found.shape == (*plain.shape[:2], width)


def _gathers_like(
    network: Network, expected: Tensor, rows: Tensor, columns: Tensor, tolerance: float
) -> bool:
    """Whether the hook on the body makes the model give ``expected`` at the places alone."""
    network.hooks.can_gather = True
    try:
        with network.hooks.reading(rows, columns):
            logits: Tensor = network.run(network.sample).logits
    except MODEL_FAILURES as error:
        raise_own_mistake(error)
        return False
    return logits.shape[1] == len(rows) and _near(
        logits.reshape(len(rows), -1).float(), expected, tolerance
    )


def _near(left: Tensor, right: Tensor, tolerance: float) -> bool:
    if left.shape != right.shape:
        return False
    gaps = torch.where(left == right, 0.0, (left - right).abs())  # words masked out in both: none
    return bool(gaps.max() <= tolerance)
