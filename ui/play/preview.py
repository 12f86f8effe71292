"""The prompt: a template is written or picked, and what the model reads of it is shown."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from ..workbench import Workbench
from .shared import SECTIONS, Shared

TEMPLATE = "The capital of {country} is {mask}."
FIELDS = "country = Poland"


def section(
    app: gr.Blocks,
    bench: Workbench,
    chosen: Sequence[gr.Dropdown],
    tabs: gr.Tabs,
    uses: Sequence[str],
) -> Shared:
    """Lay the section out; the boxes that the other sections take the prompt from come back."""
    template = gr.Textbox(TEMPLATE, label="Template", lines=3, max_lines=12)
    fields = gr.Textbox(FIELDS, label="Fields", info="name = value, one a line.", lines=2)
    chat = gr.Checkbox(False, label="Chat")
    answers = gr.Textbox("", visible=False)
    with gr.Row():
        buttons = {name: gr.Button(f"Use in {SECTIONS[name]}", size="sm") for name in uses}
    return Shared(chosen, template, fields, chat, answers, tabs, buttons)
