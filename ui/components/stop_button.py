"""Long work behind a button: shown while it goes on, with a button beside it that stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

import promptlab as pl

from .html import error, note
from .listeners import PRIVATE
from .markup import Markup

QUEUE: dict[str, Any] = {"concurrency_id": "writing", "concurrency_limit": 2}
"""Long texts have a queue of their own, so that short calls do not wait for their end."""
_SHOWN = (
    "() => {{ const box = document.getElementById('{}'); "
    "if (box.getBoundingClientRect().top > innerHeight * 0.7) box.scrollIntoView(); }}"
)
"""Brings a result into view where it stands below what was pressed, as on a phone."""
Show = Callable[..., Iterator[Markup]]


def connect_stoppable(
    show: Show, run: gr.Button, stop: gr.Button, boxes: Sequence[Any], result: gr.HTML
) -> None:
    """Let ``run`` start ``show(cancellation, *values)``, whose drawings appear in ``result``.

    ``values`` are those of ``boxes``; ``stop`` asks what this user has started to end.
    """

    def shown(*values: Any) -> Iterator[tuple[Any, str, Any, Any]]:
        cancellation = pl.Cancellation()
        going, ready = gr.Button(interactive=True), gr.Button(interactive=False)
        drawn = note("Loading the model …")
        yield cancellation, str(drawn), going, ready
        try:
            for drawn in show(cancellation, *values):
                yield cancellation, str(drawn), going, ready
        except pl.PromptlabError as problem:
            drawn = error(problem)
        yield None, str(drawn), ready, going

    running = gr.State(None)
    run.click(None, None, None, js=_SHOWN.format(result.elem_id), api_visibility="private")
    run.click(shown, boxes, [running, result, stop, run], **PRIVATE, **QUEUE)
    stop.click(request_stop, running, None, api_visibility="private", queue=False)


def request_stop(running: pl.Cancellation | None) -> None:
    """Ask what this user has started to stop at its next step."""
    if running is not None:
        running.request()
