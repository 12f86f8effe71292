"""torch's hooks, version counters and packed matrix products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from promptlab.compat import changed_library_error


def hooks_of(module: nn.Module) -> Iterator[dict[int, Any]]:
    """The tables of what is called before and after a module's forward, to be changed in place."""
    for name in ("_forward_hooks", "_forward_pre_hooks"):
        table = getattr(module, name, None)
        if table is None:
            raise changed_library_error("torch", f"nn.Module.{name}")
        yield table


def version_of(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor lies and how often it was changed in place; not for inference tensors."""
    return tensor.data_ptr(), tensor._version


def packed_linear(weight: Tensor, bias: Tensor | None, rows: int) -> Callable[[Tensor], Tensor]:
    """oneDNN's product with a weight ``[out, in]`` laid out for batches of about ``rows``.

    Raises `RuntimeError` where torch was built without oneDNN (`can_pack` tells before).
    """
    operations: Any = torch.ops.mkldnn
    try:
        reorder, multiply = operations._reorder_linear_weight, operations._linear_pointwise
    except AttributeError as error:
        raise changed_library_error("torch", "ops.mkldnn._linear_pointwise") from error
    laid = reorder(weight, rows)

    def forward(inputs: Tensor) -> Tensor:
        product: Tensor = multiply(inputs, laid, bias, "none", [], "")
        return product

    return forward


def can_pack() -> bool:
    """Whether this torch was built with oneDNN and runs on a processor that it serves."""
    return bool(torch.backends.mkldnn.is_available())
