"""The tab *Playground*: one model, one template at a time, everything seen at once."""

from __future__ import annotations

import gradio as gr

from ..components.model_bar import load_when_chosen, model_bar
from ..context import Workbench
from . import (
    fill_section,
    generation_section,
    labels_section,
    prompt_section,
    strategy_section,
)
from .playground_state import SECTIONS

_SECTIONS = {
    "fill": fill_section.section,
    "labels": labels_section.section,
    "generate": generation_section.section,
    "strategy": strategy_section.section,
}
"""``section(app, bench, shared, page)`` lays one out on its tab ``page``; ids as in `SECTIONS`."""


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: one bar for the model, the prompt, a section for each thing to try."""
    chosen = model_bar(bench)
    load_when_chosen(bench, chosen)
    with gr.Tabs(elem_id="play") as tabs:
        with gr.Tab("Prompt", id="prompt"):
            shared = prompt_section.section(app, bench, page, chosen, tabs, uses=tuple(_SECTIONS))
        for name, section in _SECTIONS.items():
            with gr.Tab(SECTIONS[name], id=name) as opened:
                section(app, bench, shared, opened)
