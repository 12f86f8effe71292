"""The tab *Study*: built, run, watched, read, compared over time."""

from __future__ import annotations

import gradio as gr

from ..context import AppContext
from .build import section as building
from .history import section
from .run import results_section, run_section


def build_study_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out: a section for each stage of a study; it opens where studies run."""
    with gr.Tabs(elem_id="study-stages", selected="run") as stages:
        with gr.Tab("Build", id="build") as part:
            building.build_editor_section(context, page, part, stages)
        with gr.Tab("Run", id="run") as part:
            run_section.build_run_section(app, context, page, part)
        with gr.Tab("Results", id="results") as part:
            results_section.build_results_section(app, context, part)
        with gr.Tab("Over time", id="over-time") as part:
            section.build_history_section(context.runs, part)
