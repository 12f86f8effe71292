"""When to stop asking an endpoint: by what came of the last requests."""

from __future__ import annotations

import threading


class CircuitBreaker:
    """Notes what came of requests to one endpoint; used by several threads.

    It is *gone* when nothing at all came for more requests in a row than ``most_silent``. It is
    *unresponsive* when it has made requests wait in vain: one for all its patience while nobody
    else was answered, or more than ``most_refused`` in a row that it asked to wait for longer.
    """

    def __init__(self, most_silent: int, most_refused: int) -> None:
        self._most_silent = most_silent
        self._most_refused = most_refused
        self._lock = threading.Lock()
        self._silent = self._refused = 0
        self._waited_in_vain = False
        self.answers = 0

    def note_response(self) -> None:
        """Something came, whatever it was."""
        with self._lock:
            self._silent = 0

    def note_answer(self) -> None:
        """An answer came."""
        with self._lock:
            self.answers += 1
            self._silent = self._refused = 0
            self._waited_in_vain = False

    def note_silence(self) -> None:
        """Nothing came."""
        with self._lock:
            self._silent += 1

    def note_refusal(self, answers: int, *, waited: bool) -> None:
        """A request is given up that was asked to wait for too long.

        ``waited``: it did so, since there had been so many ``answers``.
        """
        with self._lock:
            self._refused += 1
            self._waited_in_vain = self._waited_in_vain or (waited and answers == self.answers)

    @property
    def is_gone(self) -> bool:
        """Whether further tries cost time for nothing."""
        with self._lock:
            return self._silent > self._most_silent

    @property
    def is_unresponsive(self) -> bool:
        """Whether waiting is for nothing, until it answers again."""
        with self._lock:
            return self._waited_in_vain or self._refused > self._most_refused
