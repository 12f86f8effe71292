"""No pickle is opened while a model is loaded, whatever a library falls back on."""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

import torch

from promptlab.errors import InputError

_SOURCE: ContextVar[str | None] = ContextVar("source", default=None)
"""The model that this thread loads."""
_LOCK = threading.Lock()
_loading = 0
_opened: Any = None
_is_watched = False


@contextmanager
def no_pickles(source: str) -> Iterator[None]:
    """While inside, this thread unpickles nothing: ``torch.load`` and every pickle are refused.

    Files are checked before a library is given them; this holds where one looks further. Other
    threads go on as they were.

    Args:
        source: The model that is loaded, for the message.

    Raises:
        InputError: From where something would have been unpickled.
    """
    token = _SOURCE.set(source)
    _begin()
    try:
        yield
    finally:
        _end()
        _SOURCE.reset(token)


def _begin() -> None:
    global _loading, _opened, _is_watched
    with _LOCK:
        if not _is_watched:  # an audit hook stays for good
            sys.addaudithook(_watch)
            _is_watched = True
        if _loading == 0:
            _opened, torch.load = torch.load, _guarded(torch.load)
        _loading += 1


def _end() -> None:
    global _loading
    with _LOCK:
        _loading -= 1
        if _loading == 0:
            torch.load = _opened


def _guarded(load: Any) -> Any:
    @functools.wraps(load)
    def guarded(*args: Any, **options: Any) -> Any:
        if (source := _SOURCE.get()) is not None:
            _refuse(source)
        return load(*args, **options)

    return guarded


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "pickle.find_class" and (source := _SOURCE.get()) is not None:
        _refuse(source)


def _refuse(source: str) -> NoReturn:
    raise InputError(
        f"{source} has a file that is a pickle, which runs code when it is opened, so it is not "
        "opened; convert it to safetensors (model.save_pretrained writes them)"
    )
