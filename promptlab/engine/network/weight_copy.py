"""Copies of the weights of a model that may be trained while the shared ones stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from promptlab.compat.torch import hooks_of


def copy_weights(model: Any, owners: tuple[type, ...]) -> Any:
    """A deep copy of a transformers model in fp32, without the hooks of objects of ``owners``.

    Weights that are one tensor in the model (a tied head) are one tensor in the copy.
    """
    with _without(model, owners):
        return copy.deepcopy(model).float()


@contextmanager
def _without(model: Any, owners: tuple[type, ...]) -> Iterator[None]:
    """While inside, the model has none of these hooks: they belong to what runs the original."""
    kept = []
    for module in model.modules():
        for hooks in hooks_of(module):
            kept.append((hooks, dict(hooks)))
            owned = [n for n, hook in hooks.items() if isinstance(_owner(hook), owners)]
            for number in owned:
                del hooks[number]
    try:
        yield
    finally:
        for hooks, before in kept:
            hooks.clear()
            hooks.update(before)


def _owner(hook: Any) -> Any:
    """The object whose method a hook is; ``None`` for a function."""
    return getattr(hook, "__self__", None)
