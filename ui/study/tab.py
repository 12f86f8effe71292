"""The tab *Study*: built, run, watched, read, compared over time."""

from __future__ import annotations

import gradio as gr

from ..context import Workbench
from .build import section as building
from .history import section
from .run import results_section, run_section


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: a section for each stage of a study; it opens where studies run."""
    with gr.Tabs(elem_id="study-stages", selected="run") as stages:
        with gr.Tab("Build", id="build") as part:
            building.section(bench, page, part, stages)
        with gr.Tab("Run", id="run") as part:
            run_section.section(app, bench, page, part)
        with gr.Tab("Results", id="results") as part:
            results_section.section(app, bench, part)
        with gr.Tab("Over time", id="over-time") as part:
            section.section(bench, part)
