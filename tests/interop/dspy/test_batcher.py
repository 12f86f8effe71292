"""Calls of several threads, answered together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from promptlab.interop.dspy import batcher as module
from promptlab.interop.dspy.batcher import MOST, CallBatcher


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected callers are waited for as long as a busy machine keeps them."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 60.0)


def test_every_caller_gets_its_own_answer_in_few_batches() -> None:
    left = [80]

    def work(items: Sequence[int]) -> list[int]:
        """Goes on until all others have called again, however slow they are."""
        left[0] -= len(items)
        deadline = time.monotonic() + 60
        while len(gathering._waiting) < min(8 - len(items), left[0]):
            assert time.monotonic() < deadline, "the others do not call"
            time.sleep(0.0005)
        return [item * item for item in items]

    gathering: CallBatcher[int, int] = CallBatcher(work)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(gathering.ask, range(80))) == [i * i for i in range(80)]
    assert sum(gathering.batches) == 80
    assert len(gathering.batches) < 30 and max(gathering.batches) <= MOST


def test_a_lone_caller_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        raise AssertionError("a lone caller waits")

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    gathering = CallBatcher(lambda items: [len(items)])
    assert [gathering.ask(i) for i in range(20)] == [1] * 20


@pytest.mark.usefixtures("patient")
def test_expected_callers_are_waited_for() -> None:
    gathering = CallBatcher(lambda items: list(items))
    gathering.expect(6)
    together = threading.Barrier(6)

    def ask(item: int) -> int:
        together.wait()
        time.sleep(0.001 * item)
        return gathering.ask(item)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(ask, range(6))) == list(range(6))
    assert list(gathering.batches) == [6]


def test_an_error_is_its_own_callers() -> None:
    together = threading.Barrier(3)

    def work(items: Sequence[int]) -> list[int]:
        time.sleep(0.01)
        if 0 in items:
            raise ZeroDivisionError("one of these is nought")
        return [10 // item for item in items]

    gathering = CallBatcher(work)

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
