"""Whether candidates are only counted: then no kind asks a model for its prompts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_DRY: ContextVar[bool] = ContextVar("is_dry", default=False)


@contextmanager
def dry_run() -> Iterator[None]:
    """While inside, kinds whose prompts a model writes give as many stand-ins for them."""
    token = _IS_DRY.set(True)
    try:
        yield
    finally:
        _IS_DRY.reset(token)


def is_dry_run() -> bool:
    """Whether candidates are only counted here."""
    return _IS_DRY.get()
