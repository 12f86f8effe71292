"""Cancelling is asked for once and honoured at the next block or step; so is pausing.

Requests to remote models are broken off in their midst.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from promptlab.errors import Cancelled


class TimeOver(Cancelled):
    """The time that was given for some work has passed; what is finished stays."""


class Cancellation:
    """A flag that any thread may raise and the work looks at between blocks.

    Work that is paused waits at its next block or step until it is resumed or cancelled.

    Example:
        >>> cancellation = pl.Cancellation()
        >>> cancellation.request()
        >>> cancellation.requested
        True
        >>> cancellation.check()
        Traceback (most recent call last):
        promptlab.errors.Cancelled: stopped as asked; the same command continues where ...
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._since: float | None = None
        self._waited = 0.0
        self._deadline = math.inf

    def request(self) -> None:
        """Ask the work to stop at its next block or step."""
        self._flag.set()
        self._going.set()

    def pause(self) -> None:
        """Ask the work to wait at its next block or step."""
        if not self.requested:
            self._going.clear()

    def resume(self) -> None:
        """Let the work go on."""
        self._going.set()

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self._flag.is_set()

    @property
    def paused(self) -> bool:
        """Whether somebody asked to wait."""
        return not self._going.is_set()

    @property
    def waiting(self) -> bool:
        """Whether the work has come to its next block or step and waits there."""
        return self._since is not None

    def clock(self) -> float:
        """Seconds on a clock that stands still while the work waits."""
        since = self._since
        return (time.perf_counter() if since is None else since) - self._waited

    def check(self) -> None:
        """Wait while somebody asked to; raise `Cancelled` if somebody asked to stop."""
        if self.paused:
            self._since = since = time.perf_counter()
            self._going.wait()
            self._waited += time.perf_counter() - since
            self._since = None
        self.stop_here()

    def stop_here(self) -> None:
        """Raise `Cancelled` if somebody asked to stop, without waiting for anything.

        It is `TimeOver` when the time of `until` has passed.
        """
        if self.requested:
            raise Cancelled("stopped as asked; the same command continues where it stopped")
        if self.clock() > self._deadline:
            raise TimeOver("the time that was given has passed")

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """While inside, the work stops by `TimeOver` once `clock` is past ``deadline``."""
        before, self._deadline = self._deadline, min(self._deadline, deadline)
        try:
            yield
        finally:
            self._deadline = before

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While inside, requests to remote models by this thread are broken off when asked to.

        They raise `Cancelled` then, in the midst of a block.
        """
        before = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(before)


_in_force: ContextVar[Cancellation | None] = ContextVar("in_force", default=None)


def raise_if_cancelled() -> None:
    """Raise `Cancelled` when the `Cancellation` in force in this thread says so."""
    if (cancellation := _in_force.get()) is not None:
        cancellation.stop_here()


def current_cancellation() -> Cancellation | None:
    """The `Cancellation` that is in force in this thread."""
    return _in_force.get()
