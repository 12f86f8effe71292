"""The tab *Playground*: one model, one template at a time, everything seen at once."""

from __future__ import annotations

import gradio as gr

from ..components.model_bar import load_when_chosen, model_bar
from ..context import AppContext
from . import fill_section, generation_section, labels_section, prompt_section, strategy_section
from .playground_state import SECTIONS

_SECTIONS = {
    "fill": fill_section.build_fill_section,
    "labels": labels_section.build_labels_section,
    "generate": generation_section.build_generate_section,
    "strategy": strategy_section.build_strategy_section,
}
"""``build(app, context, shared, page)`` lays one out on its tab ``page``; ids as in `SECTIONS`."""


def build_playground_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out: one bar for the model, the prompt, a section for each thing to try."""
    chosen = model_bar(context)
    load_when_chosen(context.load_model, chosen)
    with gr.Tabs(elem_id="play") as tabs:
        with gr.Tab("Prompt", id="prompt"):
            shared = prompt_section.build_prompt_section(
                app, context.load_model, page, chosen, tabs, uses=tuple(_SECTIONS)
            )
        for name, build in _SECTIONS.items():
            with gr.Tab(SECTIONS[name], id=name) as opened:
                build(app, context, shared, opened)
