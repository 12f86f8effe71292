"""Listeners of the page: what is asked again wakes nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("gradio")

import gradio as gr

from promptlab.ui.app import build_app
from promptlab.ui.components.listeners import on_latest


def test_no_event_is_told_again_to_others(tmp_path: Path) -> None:
    """Two listeners that Gradio asks once more by telling their event again would never rest."""
    app = build_app(["tiny"], tmp_path)
    asked_again = [fn for fn in app.fns.values() if fn.fn and fn.trigger_mode == "always_last"]
    assert len(asked_again) > 30
    for fn in asked_again:
        for block, event in fn.targets:  # a state's change is told to each listener by itself
            state = block is not None and isinstance(app.blocks[block], gr.State)
            assert event == "then" or state, fn
    app.close(verbose=False)


def test_one_event_or_several() -> None:
    with gr.Blocks() as app:
        box, other, shown = gr.Textbox(), gr.Textbox(), gr.HTML()
        on_latest(box.change, str, box, shown)
        on_latest([box.input, other.input], str, box, shown, queue=False)
    heard = [fn for fn in app.fns.values() if fn.fn is None]
    assert [[event for _, event in fn.targets] for fn in heard] == [["change"], ["input", "input"]]
    answers = [fn for fn in app.fns.values() if fn.fn is not None]
    assert [fn.queue for fn in answers] == [True, False]
    assert all(fn.trigger_after == before._id for fn, before in zip(answers, heard, strict=True))
