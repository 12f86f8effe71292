"""DSPy's printing, progress bars and logs kept from the terminal while a program is fitted."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from promptlab.errors import InputError
from promptlab.security.terminal import escape_unencodable


def dspy_package() -> Any:
    """The package ``dspy``. Raises `InputError` that names the extra when it is missing."""
    try:
        import dspy
        from dspy import lm15  # noqa: F401 - what older versions lack
    except ImportError as error:
        raise InputError(
            "DSPy is not installed (version 3.4 or newer is needed); run: "
            'pip install "promptlab-workbench[dspy]"'
        ) from error
    return dspy


_MUTED: contextvars.ContextVar[bool] = contextvars.ContextVar("promptlab_muted", default=False)
_LOCK = threading.Lock()
_INSIDE = 0
_LOGGERS = ("dspy", "optuna", "gepa")


class _Muffler:
    """A stream that drops what muted code writes and passes everything else on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Drop or pass on ``text``."""
        return len(text) if _MUTED.get() else self._stream.write(text)

    def with_escapes(self) -> _Muffler:
        """The same for a program that draws: what muted code draws is dropped, too."""
        return _Muffler(escape_unencodable(self._stream))

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def silence_dspy() -> Iterator[None]:
    """Silence what runs inside: other threads' output goes on.

    DSPy prints from its optimizers and draws progress bars that cannot all be turned off.
    """
    with _installed():
        token = _MUTED.set(True)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            _MUTED.reset(token)


@contextmanager
def _installed() -> Iterator[None]:
    """Mufflers in place of the streams, and the loggers turned down, while anybody needs it."""
    global _INSIDE
    with _LOCK:
        if not _INSIDE:
            _install()
        _INSIDE += 1
    try:
        yield
    finally:
        with _LOCK:
            _INSIDE -= 1
            if not _INSIDE:
                _remove()


_BEFORE: dict[str, int] = {}


def _install() -> None:
    sys.stdout, sys.stderr = _Muffler(sys.stdout), _Muffler(sys.stderr)
    for name in _LOGGERS:
        _BEFORE[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _remove() -> None:
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        if isinstance(stream, _Muffler):
            setattr(sys, name, stream._stream)
    for name, level in _BEFORE.items():
        logging.getLogger(name).setLevel(level)
