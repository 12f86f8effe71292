"""Work between whose blocks somebody asks it to wait or to stop."""

from __future__ import annotations

import threading

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled


def working(cancellation: Cancellation, done: list[int], blocks: int = 3) -> threading.Thread:
    def work() -> None:
        try:
            for block in range(blocks):
                cancellation.check()
                done.append(block)
        except Cancelled:
            done.append(-1)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_nothing_is_asked_for() -> None:
    cancellation = Cancellation()
    cancellation.check()
    assert not cancellation.requested and not cancellation.paused


def test_stopping() -> None:
    cancellation = Cancellation()
    cancellation.request()
    cancellation.pause()  # too late
    assert cancellation.requested and not cancellation.paused
    with pytest.raises(Cancelled, match="stopped as asked"):
        cancellation.check()


@pytest.mark.parametrize("stop", [False, True])
def test_waiting_ends_with_going_on_or_stopping(stop: bool) -> None:
    cancellation, done = Cancellation(), list[int]()
    cancellation.pause()
    thread = working(cancellation, done)
    thread.join(0.05)
    assert thread.is_alive() and done == [] and cancellation.paused
    (cancellation.request if stop else cancellation.resume)()
    thread.join(60)
    assert done == ([-1] if stop else [0, 1, 2])
