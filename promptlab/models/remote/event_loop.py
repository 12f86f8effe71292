"""Calls over HTTP that can be broken off at any moment: they run in an event loop of their own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

T = TypeVar("T")


class CancellableCalls:
    """Calls that are broken off together; used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        self._off = False

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run ``work`` in the loop; its result. It has `CancelledError` once it is broken off."""
        with self._lock:
            if self._off:
                work.close()
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(work, event_loop())
            self._under_way.add(future)
        future.add_done_callback(self._ended)
        return future

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` gives. Raises `CancelledError` once it is broken off."""
        return self.start(work).result()

    def cancel_all(self) -> None:
        """End what is under way at once, its connections too, and begin nothing more."""
        with self._lock:
            self._off = True
            under_way = list(self._under_way)
        for future in under_way:
            future.cancel()

    def _ended(self, future: Future[Any]) -> None:
        with self._lock:
            self._under_way.discard(future)


_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def event_loop() -> asyncio.AbstractEventLoop:
    """The loop in which all calls of this process run."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="remote calls", daemon=True).start()
        return _loop


def _forget() -> None:
    """A process that was forked has no thread that would run the loop."""
    global _lock, _loop
    _lock, _loop = threading.Lock(), None


os.register_at_fork(after_in_child=_forget)
