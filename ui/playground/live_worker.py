"""Work in a thread of its own, and the latest that it told, for a page that shows it live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import promptlab as pl

T = TypeVar("T")
R = TypeVar("R")
Tell = Callable[[T], None]
_LOOKS = 0.08
"""Seconds between two looks at what was told."""
_PATIENCE = 0.5
"""Seconds after which a listener hears the latest again, so that it sees time pass."""


class LiveWorker(Generic[T, R]):
    """Runs ``work(tell)`` in a thread; `latest` yields what it tells, skipping what is outdated.

    ``tell`` raises `Cancelled` once ``cancellation`` is requested, which ends the work at its next
    step. Leaving `latest` early (a page that was closed) requests it, too.
    """

    def __init__(self, work: Callable[[Tell[T]], R], cancellation: pl.Cancellation) -> None:
        self._work, self._cancellation = work, cancellation
        self._changed = threading.Condition()
        self._told: T | None = None
        self._number = 0
        self._ended = False
        self._result: R | None = None
        self._problem: BaseException | None = None
        self._began = time.perf_counter()
        self.seconds = 0.0

    def latest(self) -> Iterator[T]:
        """What was told last, again and again until the work has ended."""
        self._began = time.perf_counter()
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        seen = 0
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._ended or self._number > seen,  # noqa: B023 - waited for here
                        timeout=_PATIENCE,
                    )
                    told, seen, ended = self._told, self._number, self._ended
                self.seconds = time.perf_counter() - self._began
                if ended:
                    return
                if told is not None:
                    yield told
                    time.sleep(_LOOKS)
        finally:
            if not self._ended:
                self._cancellation.request()

    @property
    def result(self) -> R:
        """What the work came to; raises what ended it."""
        if self._problem is not None:
            raise self._problem
        assert self._ended
        return self._result  # type: ignore[return-value]

    def _tell(self, told: T) -> None:
        self._cancellation.check()
        with self._changed:
            self._told, self._number = told, self._number + 1
            self._changed.notify()

    def _run(self) -> None:
        try:
            with self._cancellation.in_force():
                self._result = self._work(self._tell)
        except BaseException as problem:  # raised again where the result is asked for
            self._problem = problem
        finally:
            self.seconds = time.perf_counter() - self._began
            with self._changed:
                self._ended = True
                self._changed.notify()
