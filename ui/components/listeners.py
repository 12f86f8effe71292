"""How listeners run: what the app's API does not show, and what waits for a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""A listener of the page's own that answers at once."""
MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Work with a model: one after the other, for all users."""

DEFAULT_CONCURRENCY: dict[str, Any] = {"concurrency_limit": "default"}
"""For `on_latest`, where something else sees to it that no answer overtakes another."""


def on_latest(
    events: Any,
    answer: Callable[..., Any],
    inputs: Any,
    outputs: Any,
    **options: Any,
) -> Any:
    """Let ``answer`` write ``outputs`` at one or several ``events``; the last answer stays.

    A window sends one request at a time, and one more with the newest values if something
    happened meanwhile (``always_last``). Gradio then repeats that event for *all* its listeners:
    two such listeners of one event would call each other without end. So the events go to a
    listener that does nothing, and only ``answer``, which follows it, is repeated. Answers are
    computed one at a time, so that none overtakes another. ``answer`` gets no event data; see
    `keep_place`. ``options`` are those of `gr.on`; the event is returned.
    """
    heard = gr.on(
        [events] if callable(events) else list(events),
        None,
        None,
        None,
        js="() => {}",
        trigger_mode="multiple",
        api_visibility="private",
    )
    own: dict[str, Any] = PRIVATE | {"trigger_mode": "always_last", "concurrency_limit": 1}
    return heard.then(answer, inputs, outputs, **(own | options))


def pause_when_hidden(page: gr.Tab, timer: gr.Timer) -> None:
    """Let ``timer`` stand still while another tab than ``page`` is open."""

    def rest(chosen: gr.SelectData) -> Any:
        return gr.skip() if chosen.value == page.label else gr.Timer(active=False)

    if isinstance(page.parent, gr.Tabs):
        page.parent.select(rest, None, timer, queue=False, **PRIVATE)
