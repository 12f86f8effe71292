"""One gate before an endpoint: while it asks to wait nobody goes through, then first a few."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from promptlab.models.remote.rate_limit import INSTANT, Clock, Wait

_GLANCE = 0.2
"""Seconds between two looks whether somebody waiting has been stopped."""


class Gate:
    """Slows everyone down who asks an endpoint that has asked to wait; used by several threads.

    Nobody goes through while it is closed. Then one goes through at a time, with every answer one
    more, up to half as many as were under way; from there on one more with as many answers as are
    under way. An endpoint that never asks to wait is never slowed down.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._open_at = -math.inf
        self._closed_at = -math.inf
        self._inside = 0
        self._room = math.inf
        self._careful_from = math.inf
        self._widest = 1

    def enter(self, wait: Wait, stopped: Callable[[], bool]) -> float | None:
        """Wait until one may go through; the moment, ``None`` when it is ``stopped`` before.

        Who has entered has to `leave`.
        """
        while not stopped():
            with self._changed:
                now = self._clock()
                seconds = self._open_at - now
                if seconds <= INSTANT:
                    if self.has_room:
                        self._inside += 1
                        self._widest = max(self._widest, self._inside)
                        return now
                    self._changed.wait(_GLANCE)
                    continue
            wait(seconds)
        return None

    @property
    def has_room(self) -> bool:
        """Whether one more may go through once the gate is open."""
        return self._room == math.inf or self._inside < int(self._room)

    def leave(self, *, answered: bool) -> None:
        """One is through; with ``answered`` there is room for more."""
        with self._changed:
            self._inside -= 1
            if answered and self._room < math.inf:
                self._room += 1.0 if self._room < self._careful_from else 1.0 / self._room
                if self._room >= self._widest:
                    self._room = math.inf
            self._changed.notify_all()

    def close(self, seconds: float, entered: float) -> bool:
        """Nobody goes through for so many seconds: one who ``entered`` then was asked to wait.

        Whether that is news: the others who were under way are asked the same.
        """
        with self._changed:
            now = self._clock()
            is_news = self._open_at <= now or now + seconds > self._open_at + max(5.0, seconds / 2)
            if entered > self._closed_at:  # went through after the room was made smaller
                under_way = self._widest if self._room == math.inf else self._room
                self._careful_from = max(1.0, under_way / 2)
                self._room, self._closed_at = 1.0, now
            self._open_at = max(self._open_at, now + seconds)
            return is_news

    def closed_for(self) -> float:
        """Seconds until it opens; 0 when it is open."""
        with self._changed:
            return max(0.0, self._open_at - self._clock())


_lock = threading.Lock()
_gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()


def gate_of(url: str) -> Gate:
    """The gate of an endpoint, the same one for all models of this process that are asked there."""
    with _lock:
        gate = _gates.get(url)
        if gate is None:
            gate = _gates[url] = Gate(time.monotonic)
        return gate
