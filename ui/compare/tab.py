"""The tab *Compare*: prompts and models over the same examples, and what tells them apart."""

from __future__ import annotations

import gradio as gr

from ..context import AppContext
from . import answer_edit_section, endpoint, grid_section, paired_tests_section, setup_section
from .run import GridRun


def build_compare_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out: what is compared, then the grid, pairs of columns, edited answers."""
    chosen = setup_section.build_setup_section(context)
    run = GridRun()
    with gr.Tabs(elem_id="compare-views") as views:
        with gr.Tab("Grid", id="compare-grid"):
            looked_at = grid_section.build_grid_section(context.download_path, run)
        with gr.Tab("Paired tests", id="compare-pairs"):
            tested = paired_tests_section.build_paired_tests_section(run)
        with gr.Tab("Edit answers", id="compare-edit") as editing:
            column = answer_edit_section.build_answer_edit_section(run, editing)
    run.connect(context, chosen, [*looked_at, views, *tested, column])
    endpoint.add_compare_endpoint(context)
