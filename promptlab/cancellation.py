"""Cancelling is asked for once and honoured at the next block or step; so is pausing."""

from __future__ import annotations

import threading

from promptlab.errors import WorkError


class Cancelled(WorkError):
    """The user asked to stop; what is finished stays."""


class Cancellation:
    """A flag that any thread may raise and the work looks at between blocks.

    Work that is paused waits at its next block or step until it is resumed or cancelled.
    """

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._going = threading.Event()
        self._going.set()

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

    def check(self) -> None:
        """Wait while somebody asked to; raise `Cancelled` if somebody asked to stop."""
        self._going.wait()
        if self.requested:
            raise Cancelled("stopped as asked; the same command continues where it stopped")
