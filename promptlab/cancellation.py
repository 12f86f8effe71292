"""Cancelling is asked for once and honoured at the next block or step."""

from __future__ import annotations

import threading

from promptlab.errors import WorkError


class Cancelled(WorkError):
    """The user asked to stop; what is finished stays."""


class Cancellation:
    """A flag that any thread may raise and the work looks at between blocks."""

    def __init__(self) -> None:
        self._flag = threading.Event()

    def request(self) -> None:
        """Ask the work to stop at its next block or step."""
        self._flag.set()

    @property
    def requested(self) -> bool:
        """Whether somebody asked."""
        return self._flag.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked."""
        if self.requested:
            raise Cancelled("stopped as asked; the same command continues where it stopped")
