"""Rate limits of an endpoint: those that the user sets, and those that its refusals show."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

Wait = Callable[[float], object]
"""Lets so many seconds pass."""
Clock = Callable[[], float]
"""Seconds since some moment."""

MINUTE = 60.0
INSTANT = 1e-6
"""Seconds that are not waited: rounding."""


@dataclass(eq=False)
class Permit:
    """A request that went out at a moment, and the tokens that it is counted with."""

    moment: float
    tokens: int


class RateLimiter:
    """Admits at most so many requests and tokens in any minute; used by several threads.

    A request that alone has more tokens than the limit goes out alone. `pause_for` stops everyone
    for a while: the endpoint has asked for it.
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        self._requests = requests
        self._tokens = tokens
        self._clock = clock
        self._window: deque[Permit] = deque()
        self._held_until = 0.0
        self._lock = threading.Lock()

    def acquire(self, tokens: int, wait: Wait, stopped: Callable[[], bool]) -> Permit:
        """Wait until a request of about so many tokens may go out; at once when ``stopped``."""
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._missing(now, tokens)
                if seconds <= INSTANT or stopped():
                    admission = Permit(now, tokens)
                    if self._requests is not None or self._tokens is not None:
                        self._window.append(admission)
                    return admission
            wait(seconds)

    def correct(self, admission: Permit, tokens: int) -> None:
        """The request had so many tokens in truth."""
        with self._lock:
            admission.tokens = tokens

    def pause_for(self, seconds: float) -> None:
        """Nobody is admitted for so many seconds from now on."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _missing(self, now: float, tokens: int) -> float:
        """Seconds until there may be room."""
        while self._window and self._window[0].moment <= now - MINUTE:
            self._window.popleft()
        held = self._held_until - now
        if not self._window:
            return held
        used = sum(each.tokens for each in self._window)
        many = self._requests is not None and len(self._window) + 1 > max(1.0, self._requests)
        much = self._tokens is not None and used + tokens > self._tokens
        if not many and not much:
            return held
        return max(held, self._window[0].moment + MINUTE - now, 0.001)


_GLANCE = 0.2
"""Seconds between two looks whether somebody waiting has been stopped."""


class AdaptiveLimiter:
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

    def acquire(self, wait: Wait, stopped: Callable[[], bool]) -> float | None:
        """Wait until one may go through; the moment, ``None`` when it is ``stopped`` before.

        Who has entered has to `release`.
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

    def release(self, *, answered: bool) -> None:
        """One is through; with ``answered`` there is room for more."""
        with self._changed:
            self._inside -= 1
            if answered and self._room < math.inf:
                self._room += 1.0 if self._room < self._careful_from else 1.0 / self._room
                if self._room >= self._widest:
                    self._room = math.inf
            self._changed.notify_all()

    def pause_for(self, seconds: float, entered: float) -> bool:
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

    def seconds_paused(self) -> float:
        """Seconds until it opens; 0 when it is open."""
        with self._changed:
            return max(0.0, self._open_at - self._clock())


_lock = threading.Lock()
_gates: WeakValueDictionary[str, AdaptiveLimiter] = WeakValueDictionary()


def limiter_for(url: str) -> AdaptiveLimiter:
    """The gate of an endpoint, the same one for all models of this process that are asked there."""
    with _lock:
        gate = _gates.get(url)
        if gate is None:
            gate = _gates[url] = AdaptiveLimiter(time.monotonic)
        return gate
