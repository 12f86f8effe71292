"""Calls of several threads, answered together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from promptlab.interop.dspy.gathering import MOST, Gathering


def test_every_caller_gets_its_own_answer_in_few_batches() -> None:
    def work(items: Sequence[int]) -> list[int]:
        time.sleep(0.005)
        return [item * item for item in items]

    gathering = Gathering(work)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(gathering.ask, range(80))) == [i * i for i in range(80)]
    assert sum(gathering.batches) == 80
    assert len(gathering.batches) < 30 and max(gathering.batches) <= MOST


def test_a_lone_caller_does_not_wait() -> None:
    gathering = Gathering(lambda items: [len(items)])
    started = time.perf_counter()
    assert [gathering.ask(i) for i in range(20)] == [1] * 20
    assert time.perf_counter() - started < 0.2


def test_expected_callers_are_waited_for() -> None:
    gathering = Gathering(lambda items: list(items))
    gathering.expect(6)
    together = threading.Barrier(6)

    def ask(item: int) -> int:
        together.wait()
        time.sleep(0.001 * item)
        return gathering.ask(item)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == list(range(6))
    assert len(gathering.batches) <= 2


def test_an_error_is_its_own_callers() -> None:
    together = threading.Barrier(3)

    def work(items: Sequence[int]) -> list[int]:
        time.sleep(0.01)
        if 0 in items:
            raise ZeroDivisionError("one of these is nought")
        return [10 // item for item in items]

    gathering = Gathering(work)

    def ask(item: int) -> int | str:
        together.wait()
        try:
            return gathering.ask(item)
        except ZeroDivisionError as error:
            return str(error)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(ask, (0, 1, 2))) == ["one of these is nought", 10, 5]
    with pytest.raises(ZeroDivisionError):
        gathering.ask(0)
    assert gathering.ask(5) == 2
