"""What one window was sent: two looks at once, an older choice loses, lost sendings come again."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

from promptlab.ui.components.session_diff import SessionDiff

PATIENCE = 60


@dataclass
class Watched(SessionDiff):
    """With a choice of its own."""

    trial: int | None = None


def told(seen: SessionDiff, found: Any) -> list[Any]:
    return [seen.changed("study", found)]


def looked(seen: SessionDiff, receipt: float | None) -> list[Any]:
    return seen.poll(lambda: seen.study, lambda found: told(seen, found), receipt)


def is_nothing(value: Any) -> bool:
    return bool(value == gr.skip())


def test_only_what_is_new_is_sent() -> None:
    seen = SessionDiff()
    assert seen.changed("head", "a") == "a"
    assert is_nothing(seen.changed("head", "a"))
    assert seen.changed("head", "b", "drawn") == "drawn"
    seen.invalidate("head")
    assert seen.changed("head", "b") == "b"


def test_of_two_looks_at_once_the_older_choice_loses() -> None:
    """The first look is held back while another study is chosen and looked at."""
    seen = SessionDiff(study="old")
    reading, chosen = threading.Event(), threading.Event()
    reads: list[str | None] = []

    def find() -> str | None:
        reads.append(seen.study)
        if len(reads) == 1:
            reading.set()
            assert chosen.wait(PATIENCE)
        return reads[-1]

    with ThreadPoolExecutor(2) as pool:
        older = pool.submit(seen.poll, find, lambda found: told(seen, found), 0)
        assert reading.wait(PATIENCE)
        seen.choose(study="new")  # does not wait for the look
        newer = pool.submit(looked, seen, 0)
        chosen.set()
        sent = [older.result(PATIENCE), newer.result(PATIENCE)]
    assert reads[:2] == ["old", "new"]
    assert all(answer[0] == "new" for answer in sent)  # twice: nobody knows that one has come
    assert [answer[1] for answer in sent] == [1, 2]
    assert seen.sent == {"study": "new"}


def test_many_looks_and_choices_end_with_the_last_choice() -> None:
    seen = SessionDiff()
    window: dict[str, Any] = {}
    arriving = threading.Lock()

    def look() -> None:
        answer, turn = looked(seen, window.get("receipt", 0))
        with arriving:  # in whatever order the threads come here
            if not is_nothing(answer):
                window["study"] = answer
            if not is_nothing(turn):
                window["receipt"] = turn

    with ThreadPoolExecutor(8) as pool:
        for number in range(60):
            seen.choose(study=f"study {number}")
            for _ in range(3):
                pool.submit(look)
    look()  # the timer's next look sees whether the last sending has come last
    look()
    assert window == {"study": "study 59", "receipt": seen.turn}


def test_what_was_lost_or_overtaken_is_sent_again() -> None:
    seen = SessionDiff(study="a")
    assert looked(seen, 0) == ["a", 1]
    seen.choose(study="b")
    assert looked(seen, 1) == ["b", 2]
    assert looked(seen, 1) == ["b", 3]  # overtaken by the first one
    answer = looked(seen, 3)
    assert is_nothing(answer[0]) and is_nothing(answer[1]) and seen.is_up_to_date
    assert looked(seen, None) == ["b", 4]


def test_every_session_has_its_own() -> None:
    first = Watched(study="a", trial=3)
    second = copy.deepcopy(first)
    assert (type(second), second.study, second.trial) == (Watched, "a", 3)
    second.choose(study="b", trial=None)
    second.changed("head", 1)
    assert (first.study, first.trial, first.sent) == ("a", 3, {})
    with first._poll_lock:
        assert looked(second, 0)[0] == "b"  # no lock of the first one's
