"""How listeners run: what the app's API does not show, and what waits for a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""A listener of the page's own that answers at once."""
AT_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Work with a model: one after the other, for all users."""

SIDE_BY_SIDE: dict[str, Any] = {"concurrency_limit": "default"}
"""For `on_latest`, where something else sees to it that no answer overtakes another."""


def on_latest(
    events: Any,
    answer: Callable[..., Any],
    inputs: Any,
    outputs: Any,
    **options: Any,
) -> Any:
    """Let ``answer`` write ``outputs`` at one or several ``events``; the last one's stays in sight.

    A window asks one question at a time, and once more with the newest values if something
    happened meanwhile (``always_last``). Gradio then tells that event again, to *all* who listen
    to it: two such listeners of one event would wake each other without end. So the events are
    heard by a listener that does nothing, and ``answer``, which follows it, is told again alone.
    Answers are taken one at a time, so that none overtakes another. ``answer`` gets no event's
    data; see `picking.kept`. ``options`` are `gr.on`'s; the event comes back.
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
    own: dict[str, Any] = QUIET | {"trigger_mode": "always_last", "concurrency_limit": 1}
    return heard.then(answer, inputs, outputs, **(own | options))


def pause_when_hidden(page: gr.Tab, timer: gr.Timer) -> None:
    """Let ``timer`` stand still while another tab than ``page`` is open."""

    def rest(chosen: gr.SelectData) -> Any:
        return gr.skip() if chosen.value == page.label else gr.Timer(active=False)

    if isinstance(page.parent, gr.Tabs):
        page.parent.select(rest, None, timer, queue=False, **QUIET)
