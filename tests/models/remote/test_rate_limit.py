"""Rate limits and the waits between tries, on a clock of the test's own."""

from __future__ import annotations

import pytest

from promptlab.models.remote.rate_limit import RateLimiter
from promptlab.models.remote.retry import RetryBackoff


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(
    ("limits", "each", "last"),
    [((3.0, None), 10, 180.0), ((None, 100.0), 50, 240.0), ((2.0, 1000.0), 10, 240.0),
     ((None, 5.0), 10, 540.0), ((0.5, None), 1, 540.0)],
)  # fmt: skip
def test_rate_limits(limits: tuple[float | None, float | None], each: int, last: float) -> None:
    time = Time()
    rate = RateLimiter(*limits, clock=time)
    moments = []
    for _ in range(10):
        rate.acquire(each, time.wait, lambda: False)
        moments.append(time.now)
    assert moments[-1] == pytest.approx(last)
    for moment in moments:
        within = [m for m in moments if moment - 60 < m <= moment]
        assert limits[0] is None or len(within) <= max(1, limits[0])
        assert limits[1] is None or len(within) == 1 or len(within) * each <= limits[1]


def test_tokens_are_counted_as_they_turned_out() -> None:
    time = Time()
    rate = RateLimiter(None, 100.0, clock=time)
    for _ in range(10):  # each reserves all, and has used a tenth
        rate.correct(rate.acquire(100, time.wait, lambda: False), 10)
        time.now += 0.001
    assert time.now > 60


def test_everyone_is_held_when_the_endpoint_asks_for_it() -> None:
    time = Time()
    rate = RateLimiter(clock=time)
    rate.pause_for(9.0)
    rate.acquire(1, time.wait, lambda: False)
    assert time.now == pytest.approx(9.0)


def test_backoff() -> None:
    backoff = RetryBackoff(first=1.0, most=8.0)
    drawn = [[backoff.seconds(tried) for _ in range(50)] for tried in range(1, 9)]
    for tried, seconds in enumerate(drawn, start=1):
        top = min(8.0, 2.0 ** (tried - 1))
        assert top / 2 <= min(seconds) < max(seconds) <= top
    assert 5.0 <= backoff.seconds(1, 5.0) <= 6.0
