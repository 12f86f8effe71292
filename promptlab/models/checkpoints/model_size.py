"""A model's shape is no larger than its weights: checked while a library puts it together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from promptlab.errors import InputError

_SPARE_TENSORS = 2_000
_SPARE_NUMBERS = 64_000_000
_PACKED = 8
"""So many numbers at most may stand in a byte of quantised weights."""


@dataclass
class CheckpointSize:
    """How much a model's files hold: tensors, numbers, bytes."""

    tensors: int = 0
    numbers: int = 0
    bytes: int = 0


@contextmanager
def limit_model_size(stored: CheckpointSize, source: str, *, quantised: bool) -> Iterator[None]:
    """While inside, this thread builds no model that is far larger than what its files hold.

    A configuration with a billion layers would never be built, one with a billion columns would
    take all memory, and neither would find its weights.

    Raises:
        InputError: From where a layer too many is made.
    """
    thread = threading.get_ident()
    room = stored.bytes * _PACKED if quantised else 2 * stored.numbers
    most_tensors = 8 * stored.tensors + _SPARE_TENSORS
    most_numbers, most_buffers = room + _SPARE_NUMBERS, 2 * stored.bytes + 8 * _SPARE_NUMBERS
    tensors = numbers = buffers = 0

    def refuse(found: str) -> None:
        raise InputError(
            f"the config.json of {source} describes {found} than its weights hold "
            f"({stored.tensors:,} tensors, {stored.numbers:,} numbers); save or download the model "
            "again"
        )

    def parameter(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal tensors, numbers
        if tensor is None or threading.get_ident() != thread:
            return
        tensors += 1
        numbers += tensor.numel()
        if tensors > most_tensors:
            refuse("far more layers")
        if numbers > most_numbers:
            refuse("far larger layers")

    def buffer(module: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal buffers
        if tensor is None or threading.get_ident() != thread:
            return
        buffers += tensor.numel() * tensor.element_size()
        if buffers > most_buffers:
            refuse("far larger tables")

    hooks = [
        register_module_parameter_registration_hook(parameter),
        register_module_buffer_registration_hook(buffer),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
