"""An endpoint that is not to be relied on, and counts what it has answered."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.helpers.fake_endpoint import Answer, Call, Endpoint, refused, said, serving

USAGE = (10, 2)
"""Tokens that every answer says it has cost."""
_FAULTS = (
    lambda: refused(500, "a fault"),
    lambda: refused(429, "wait", retry_after_ms="1"),
    lambda: Answer(reset=True),
    lambda: Answer(text='{"choices": [', cut=True),
)


class Faulty:
    """A third of all requests fail at first; ``answered`` counts those that were not."""

    def __init__(self) -> None:
        self.answered = 0
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seen.clear()
            self.answered = 0

    def __call__(self, call: Call, number: int) -> Answer:
        """The same words and seed are always answered alike, if they are."""
        drawn = hashlib.sha256(f"{call.words} {call.body.get('seed')}".encode()).digest()
        threading.Event().wait(0.004 + drawn[2] / 64_000)
        with self._lock:
            first = drawn not in self._seen
            self._seen.add(drawn)
            if first and drawn[0] < 90:
                return _FAULTS[drawn[1] % len(_FAULTS)]()
            self.answered += 1
        return said("positive" if drawn[3] % 2 else "negative", usage=USAGE)


@contextmanager
def faulty_endpoint() -> Iterator[tuple[Endpoint, Faulty]]:
    """The endpoint on a free port for a while, and what it counts."""
    faulty = Faulty()
    with serving(faulty) as opened:
        yield opened, faulty
