"""How long to wait: between two tries of a request, and for the sake of rate limits."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Wait = Callable[[float], object]
"""Lets so many seconds pass."""
Clock = Callable[[], float]
"""Seconds since some moment."""

MINUTE = 60.0
INSTANT = 1e-6
"""Seconds that are not waited: rounding."""


@dataclass(frozen=True)
class Backoff:
    """Seconds before the next try: twice as many every time, half of them at random.

    ``most`` bounds them. An endpoint that asks everyone to wait and does not say how long is given
    ``busy`` times as many.
    """

    first: float = 0.5
    most: float = 30.0
    busy: float = 4.0
    draws: random.Random = field(default_factory=random.Random)

    def seconds(self, tried: int, asked: float | None = None) -> float:
        """After ``tried`` tries; never less than what the endpoint ``asked`` for."""
        grown = min(self.most, self.first * 2.0 ** min(tried - 1, 30))
        drawn = grown * (0.5 + 0.5 * self.draws.random())
        # One that asks for nothing and refuses again is given more time, too.
        return drawn if asked is None else max(asked + min(1.0, drawn), drawn)


@dataclass(eq=False)
class Admission:
    """A request that went out at a moment, and the tokens that it is counted with."""

    moment: float
    tokens: int


class RateLimit:
    """Admits at most so many requests and tokens in any minute; used by several threads.

    A request that alone has more tokens than the limit goes out alone. `hold` stops everyone
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
        self._window: deque[Admission] = deque()
        self._held_until = 0.0
        self._lock = threading.Lock()

    def admit(self, tokens: int, wait: Wait, stopped: Callable[[], bool]) -> Admission:
        """Wait until a request of about so many tokens may go out; at once when ``stopped``."""
        while True:
            with self._lock:
                now = self._clock()
                seconds = self._missing(now, tokens)
                if seconds <= INSTANT or stopped():
                    admission = Admission(now, tokens)
                    if self._requests is not None or self._tokens is not None:
                        self._window.append(admission)
                    return admission
            wait(seconds)

    def settle(self, admission: Admission, tokens: int) -> None:
        """The request had so many tokens in truth."""
        with self._lock:
            admission.tokens = tokens

    def hold(self, seconds: float) -> None:
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
