"""The tab *Study*: built, run, watched, read, compared over time."""

from __future__ import annotations

import gradio as gr

from .live import results
from .workbench import Workbench


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: a section for each stage of a study."""
    with gr.Tab("Results", id="results"):
        results.section(app, bench, page)
