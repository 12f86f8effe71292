"""The tab *Study*: built, run, watched, read, compared over time."""

from __future__ import annotations

import gradio as gr

from .live import results, running
from .workbench import Workbench


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: a section for each stage of a study; it opens where studies run."""
    with gr.Tabs(elem_id="study-stages", selected="run"):
        with gr.Tab("Run", id="run") as part:
            running.section(app, bench, page, part)
        with gr.Tab("Results", id="results") as part:
            results.section(app, bench, part)
