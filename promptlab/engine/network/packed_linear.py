"""Linear layers with their weights laid out for the CPU's matrix products.

torch multiplies fp32 matrices by the weights as they lie in memory; oneDNN does it more than
twice as fast for a batch of rows once the weights are packed in its own order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from promptlab.compat.torch import can_pack, packed_linear, version_of
from promptlab.compat.transformers import Conv1D

MIN_WEIGHTS = 2**16
"""Smaller layers gain nothing."""
PACKED_BATCH_ROWS = 32
"""Batch size that the layout is chosen for; any other is served as well."""
MEMORY_DIVISOR = 8
"""Packed copies take at most this part of the machine's memory."""


@dataclass(frozen=True)
class _Layer:
    """A layer's packed copy, and which state of its weight it was made from."""

    forward: Callable[[Tensor], Tensor]
    version: tuple[int, int]


class PackedLinears:
    """Packed copies of a model's linear layers, made when they are first wanted.

    Only for fp32 on a CPU, only if the copies fit into memory, and only where a packed layer
    gives what the plain one gives; the model itself stays as it is. A layer whose weight was
    changed since is packed anew.
    """

    def __init__(self, model: nn.Module) -> None:
        self.modules = [module for module in model.modules() if _can_pack(module)]
        self._layers: dict[nn.Module, _Layer] = {}
        self._usable: bool | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        """While inside, the layers compute with their packed weights (no gradients)."""
        if not self.is_usable:
            yield
            return
        replaced = [module for module in self.modules if "forward" not in module.__dict__]
        try:
            for module in replaced:
                module.__dict__["forward"] = self._layer(module).forward
            yield
        finally:
            for module in replaced:
                module.__dict__.pop("forward", None)

    @property
    def is_usable(self) -> bool:
        """Whether packing works on this machine and gives the same; tried once."""
        if self._usable is None:
            self._usable = bool(self.modules) and self._fits() and self._agrees(self.modules[0])
        return self._usable

    def _fits(self) -> bool:
        wanted = sum(_parameter(module).nbytes for module in self.modules)
        try:
            whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):  # a system that does not tell
            return False
        return wanted <= whole // MEMORY_DIVISOR

    def _agrees(self, module: nn.Module) -> bool:
        """Whether one layer packed computes what it computes plain."""
        weight = _weight(module)
        rows = torch.linspace(-1.0, 1.0, 3 * weight.shape[1]).reshape(3, -1)
        if not can_pack():
            return False
        found = self._layer(module).forward(rows)
        plain = module(rows)
        return bool((found - plain).abs().max() <= 1e-4 * plain.abs().max().clamp(min=1.0))

    def _layer(self, module: nn.Module) -> _Layer:
        parameter = _parameter(module)
        version = version_of(parameter)
        layer = self._layers.get(module)
        if layer is None or layer.version != version:
            layer = _Layer(_pack(module), version)
            self._layers[module] = layer
        return layer


def _can_pack(module: nn.Module) -> bool:
    if type(module) not in (nn.Linear, Conv1D):
        return False
    weight = _parameter(module)
    fitting = weight.device.type == "cpu" and weight.dtype == torch.float32
    # Tensors made in inference mode do not tell when they were changed.
    return fitting and not weight.is_inference() and weight.numel() >= MIN_WEIGHTS


def _parameter(module: nn.Module) -> Tensor:
    weight: Any = module.weight
    found: Tensor = weight
    return found


def _weight(module: nn.Module) -> Tensor:
    """The weight ``[out, in]``."""
    weight = _parameter(module).detach()
    return weight.T.contiguous() if isinstance(module, Conv1D) else weight


def _pack(module: nn.Module) -> Callable[[Tensor], Tensor]:
    bias: Any = module.bias
    return packed_linear(_weight(module), bias, PACKED_BATCH_ROWS)
