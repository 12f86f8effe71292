"""Calls that come from several threads are answered together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from promptlab.errors import WorkError

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LONGEST_WAIT = 0.03
"""So many seconds a batch waits for the callers of the last one to come back."""
MOST = 64
"""So many calls are answered together."""
_LOOK = 0.0005


@dataclass(eq=False)
class _Ticket(Generic[Item]):
    item: Item
    done: bool = False
    settled: bool = False
    answer: Any = None
    error: Exception | None = None


class CallBatcher(Generic[Item, Answer]):
    """Gives what several threads ask at a time to ``work`` as one batch.

    One of the callers does the work for all that wait; the others come in meanwhile and are the
    next batch. A lone caller never waits: only as many callers are waited for as the last batch
    had. When a batch fails, its items are tried one by one, so that each caller gets its own error.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Answer]]) -> None:
        self._work = work
        self._changed = threading.Condition()
        self._waiting: list[_Ticket[Item]] = []
        self._busy = False
        self._last = 1
        self.batches: deque[int] = deque(maxlen=1000)

    def expect(self, callers: int) -> None:
        """Say that so many will call at once, so that the first does not go ahead alone."""
        self._last = max(1, callers)

    def ask(self, item: Item) -> Answer:
        """The answer to ``item``. Raises what ``work`` raises for it."""
        ticket = _Ticket(item)
        with self._changed:
            self._waiting.append(ticket)
        while not ticket.done:
            with self._changed:
                while self._busy and not ticket.done:
                    self._changed.wait()
                if ticket.done:
                    break
                self._busy = True
            self._serve()
        if ticket.error is not None:
            raise ticket.error
        answer: Answer = ticket.answer
        return answer

    def _serve(self) -> None:
        batch: list[_Ticket[Item]] = []
        try:
            self._await_others()
            with self._changed:
                batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._last = len(batch)
                self.batches.append(len(batch))
            self._answer(batch)
        finally:
            with self._changed:
                for ticket in batch:
                    if not ticket.settled:  # the one who worked for all was interrupted
                        ticket.error = WorkError("the call was interrupted")
                    ticket.done = True
                self._busy = False
                self._changed.notify_all()

    def _await_others(self) -> None:
        end = time.monotonic() + LONGEST_WAIT
        while len(self._waiting) < min(self._last, MOST) and time.monotonic() < end:
            time.sleep(_LOOK)

    def _answer(self, batch: Sequence[_Ticket[Item]]) -> None:
        try:
            answers = self._work([ticket.item for ticket in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].error, batch[0].settled = error, True
                return
            for ticket in batch:
                self._answer([ticket])
            return
        for ticket, answer in zip(batch, answers, strict=True):
            ticket.answer, ticket.settled = answer, True
