"""What one rendering may do: turns of loops, characters made, sizes of values, time."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from promptlab.prompts.jinja.limit_errors import LimitExceeded
from promptlab.prompts.jinja.value_size import Known, size_of

MAX_CHARACTERS = 10_000_000
"""Characters of the largest text, and of the largest list with all that is in it."""
MAX_INTEGER_BITS = 4096
"""Of the largest integer: multiplying and writing larger ones stops all threads."""
MAX_SECONDS = 0.5
"""Of processor time for one rendering, and for compiling one template."""
_TURNS = 100_000
"""How many times all loops and calls in one rendering may turn together."""
_MADE = 100_000_000
"""Characters that one rendering may make, what it throws away included."""
_WORK = 200_000_000
"""The largest product of two texts' lengths: what searching one in the other may take."""
_WATCHED = 20_000
"""Characters from which on a filter's own Python is looked at between its steps."""

_end: ContextVar[float] = ContextVar("end", default=math.inf)
"""When all that this thread does now must be done, on its own clock (`time.thread_time`)."""
_current: ContextVar[UsageCounter | None] = ContextVar("usage", default=None)


class UsageCounter:
    """Counts one rendering, and ends it by `LimitExceeded` when it does too much."""

    __slots__ = ("_begun", "_known", "_limit", "_made", "_turns", "_until")

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._begun = time.thread_time()
        self._until = time.perf_counter() + limit
        self._turns = self._made = 0
        self._known: Known = {}

    def check_time(self) -> None:
        """Look at the clock."""
        if time.perf_counter() > self._until:
            # The machine may have had others to serve: what counts is this thread's own time.
            left = self._begun + self._limit - time.thread_time()
            if left <= 0:
                raise LimitExceeded(f"it takes more than {MAX_SECONDS:g} s of computing")
            self._until = time.perf_counter() + left

    def count_turn(self) -> None:
        """Count a turn of a loop, or a call."""
        self._turns += 1
        if self._turns > _TURNS:
            raise LimitExceeded(f"loops turn more than {_TURNS} times")
        self.check_time()

    def size(self, value: Any) -> int:
        """The size of a value (`size_of`)."""
        return size_of(value, self._known)

    def check_operands(self, what: str, values: Iterable[Any]) -> int:
        """The size of what ``what`` is to work on together, unless it is too much to work on."""
        total, texts = 0, []
        for value in values:
            size = self.size(value)
            total += size
            if isinstance(value, str | bytes):
                texts.append(size)
        if total > 2 * MAX_CHARACTERS:
            raise LimitExceeded(f"{what} would work on too large values")
        if len(texts) > 1 and total > _WATCHED and texts[0] * max(texts[1:]) > _WORK:
            raise LimitExceeded(f"{what} would search too long a text in a long text")
        return total

    def check_result_size(self, what: str, size: float) -> None:
        """Refuse to make a value of so many characters."""
        if size > MAX_CHARACTERS:
            raise LimitExceeded(f"{what} makes too large a value")

    def count_result(self, what: str, value: Any) -> None:
        """Count a value that ``what`` has made."""
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return
        if kind is int:
            if value.bit_length() > MAX_INTEGER_BITS:
                raise LimitExceeded(f"{what} makes an integer of more than {MAX_INTEGER_BITS} bits")
            return
        size = self.size(value)
        self.check_result_size(what, size)
        self.count_characters(size)

    def count_characters(self, size: int) -> None:
        """Count characters that were made."""
        self._made += size
        if self._made > _MADE:
            raise LimitExceeded(f"all its values together have more than {_MADE} characters")

    @contextmanager
    def check_time_at_calls(self) -> Iterator[None]:
        """While inside, the clock is looked at whenever a function is called or returns.

        So Python that is not ours (what wraps lines, takes out tags or compiles) ends in time.
        """
        before = sys.getprofile()
        if before is not None:  # somebody measures this thread, or it is watched already
            yield
            return
        sys.setprofile(self._look)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _look(self, frame: Any, event: str, argument: Any) -> None:
        self.check_time()


def current_usage() -> UsageCounter:
    """The counter of what this thread renders; outside of a rendering, a new one."""
    return _current.get() or UsageCounter(seconds_left())


@contextmanager
def count_usage() -> Iterator[UsageCounter]:
    """While inside, everything that this thread renders or compiles is counted together."""
    usage = UsageCounter(seconds_left())
    token = _current.set(usage)
    try:
        yield usage
    finally:
        _current.reset(token)


def seconds_left() -> float:
    """The processor time that is given to a rendering that begins now."""
    return min(MAX_SECONDS, _end.get() - time.thread_time())


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """While inside, all renderings of this thread together have ``seconds`` of processor time."""
    token = _end.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def is_watched(size: int) -> bool:
    """Whether a step on so many characters has its own Python looked at."""
    return size > _WATCHED
