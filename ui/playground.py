"""The tab *Playground*: one model, one template at a time, everything seen at once."""

from __future__ import annotations

import gradio as gr

from .model_bar import load_when_chosen, model_bar
from .play import fill, generation, labels, preview, strategy
from .play.shared import SECTIONS
from .workbench import Workbench

_SECTIONS = {
    "fill": fill.section,
    "labels": labels.section,
    "generate": generation.section,
    "strategy": strategy.section,
}
"""``section(app, bench, shared, page)`` lays one out on its tab ``page``; ids as in `SECTIONS`."""


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: one bar for the model, the prompt, a section for each thing to try."""
    chosen = model_bar(bench)
    load_when_chosen(bench, chosen)
    with gr.Tabs(elem_id="play") as tabs:
        with gr.Tab("Prompt", id="prompt"):
            shared = preview.section(app, bench, page, chosen, tabs, uses=tuple(_SECTIONS))
        for name, section in _SECTIONS.items():
            with gr.Tab(SECTIONS[name], id=name) as opened:
                section(app, bench, shared, opened)
