"""How listeners run: what the app's API does not show, and what waits for a model."""

from __future__ import annotations

from typing import Any

import gradio as gr

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""A listener of the page's own that answers at once."""
LAST: dict[str, Any] = QUIET | {"trigger_mode": "always_last", "concurrency_limit": 1}
"""A listener that alone writes its outputs, and makes them of its inputs and nothing else.

A window asks it one at a time, and once more with the newest values if something happened
meanwhile: what stands on the page answers the last question. It must not read its event's data,
which would be the first one's then; see `picking.kept`.
"""
AT_MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Work with a model: one after the other, for all users."""


def rest_elsewhere(page: gr.Tab, timer: gr.Timer) -> None:
    """Let ``timer`` stand still while another tab than ``page`` is open."""

    def rest(chosen: gr.SelectData) -> Any:
        return gr.skip() if chosen.value == page.label else gr.Timer(active=False)

    if isinstance(page.parent, gr.Tabs):
        page.parent.select(rest, None, timer, queue=False, **QUIET)
