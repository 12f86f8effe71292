"""What was asked last stays in sight, in whatever order answers come."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

pytest.importorskip("gradio")

import gradio as gr

from promptlab.ui.components.latest_only import LatestOnly, RequestCounter


def listeners(answer: Any) -> list[Any]:
    """The functions of two listeners of one panel."""
    with gr.Blocks() as app:
        box, other, shown = gr.Textbox(), gr.Textbox(), gr.HTML()
        newest = LatestOnly(shown)
        newest.on([box.change], answer, [box], api_visibility="private")
        newest.on([other.change], answer, [other], api_visibility="private")
    found = [fn for fn in app.fns.values() if fn.outputs == [shown]]
    assert {fn.trigger_mode for fn in found} == {"always_last"}
    return [fn.fn for fn in found]


def test_an_older_answer_that_comes_later_is_not_shown() -> None:
    begun, let_go = threading.Event(), threading.Event()

    def answer(text: str) -> str:
        if text == "old":
            begun.set()
            assert let_go.wait(30)
        return f"<b>{text}</b>"

    first, second = listeners(answer)
    turn = copy.deepcopy(RequestCounter())
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(first, 1, turn, "old")
        assert begun.wait(30)
        assert second(2, turn, "new") == "<b>new</b>"
        let_go.set()
        assert late.result() == gr.skip()
    assert first(1, turn, "older still") == gr.skip()
    assert first(3, turn, "newest") == "<b>newest</b>"


def test_windows_do_not_share_their_turns() -> None:
    (first, _), start = listeners(str.upper), RequestCounter()
    one, other = copy.deepcopy(start), copy.deepcopy(start)
    assert first(7, one, "a") == "A"
    assert first(1, other, "b") == "B"
    assert first(None, RequestCounter(), "c") == "C"
