"""The tab *Playground*: one model, one template at a time, everything seen at once."""

from __future__ import annotations

import gradio as gr

from .model_bar import model_bar
from .play import fill, labels
from .workbench import Workbench


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: one bar for the model, a section below it for each thing to try."""
    chosen = model_bar(bench)
    with gr.Tab("Fill", id="fill"):
        fill.section(app, bench, chosen)
    with gr.Tab("Labels", id="labels"):
        labels.section(app, bench, chosen)
