"""Copies of a model's weights that may be trained while the shared ones stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from promptlab.compat.torch import hooks_of


def copied(model: Any, owned: Callable[[Any], bool]) -> Any:
    """A deep copy of a transformers model in fp32, without the hooks that networks have ``owned``.

    Weights that are one tensor in the model (a tied head) are one tensor in the copy.
    """
    with _without(model, owned):
        return copy.deepcopy(model).float()


@contextmanager
def _without(model: Any, owned: Callable[[Any], bool]) -> Iterator[None]:
    """While inside, the model has none of these hooks: they belong to what runs the original."""
    kept = []
    for module in model.modules():
        for hooks in hooks_of(module):
            kept.append((hooks, dict(hooks)))
            for number in [n for n, hook in hooks.items() if owned(hook)]:
                del hooks[number]
    try:
        yield
    finally:
        for hooks, before in kept:
            hooks.clear()
            hooks.update(before)
