"""One gate before an endpoint that has asked to wait."""

from __future__ import annotations

import threading

import pytest

from promptlab.models.remote.rate_limit import AdaptiveLimiter, limiter_for


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def never() -> bool:
    return False


def test_an_endpoint_that_never_asks_slows_nobody_down() -> None:
    time = Time()
    gate = AdaptiveLimiter(time)
    assert [gate.acquire(time.wait, never) for _ in range(100)] == [0.0] * 100


def test_everybody_waits_and_is_told_once() -> None:
    time = Time()
    gate = AdaptiveLimiter(time)
    entered = [gate.acquire(time.wait, never) for _ in range(4)]
    time.now = 1.0
    told = [gate.pause_for(20.0, float(moment or 0.0)) for moment in entered]
    assert told == [True, False, False, False]
    for _ in entered:
        gate.release(answered=False)
    assert gate.seconds_paused() == pytest.approx(20.0)
    assert gate.acquire(time.wait, never) == pytest.approx(21.0)


def test_after_it_one_goes_first_and_every_answer_makes_room() -> None:
    time = Time()
    gate = AdaptiveLimiter(time)
    for _ in range(8):
        gate.acquire(time.wait, never)
    gate.pause_for(5.0, 0.0)
    for _ in range(8):
        gate.release(answered=False)
    rooms = []
    for _ in range(6):
        rooms.append(0)
        while gate.acquire(time.wait, lambda: not gate.has_room) is not None:
            rooms[-1] += 1
        for _ in range(rooms[-1]):
            gate.release(answered=True)
    assert rooms == [1, 2, 4, 4, 5, 6]  # half of what was under way, then one more a round


def test_who_waits_can_be_stopped() -> None:
    gate = AdaptiveLimiter(Time())
    gate.pause_for(1000.0, 0.0)
    stop = threading.Event()
    assert gate.acquire(lambda seconds: stop.set(), stop.is_set) is None


def test_models_at_one_endpoint_share_a_gate() -> None:
    gate = limiter_for("http://a/v1")
    assert limiter_for("http://a/v1") is gate
    assert limiter_for("http://b/v1") is not gate
