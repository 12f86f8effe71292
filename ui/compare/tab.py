"""The tab *Compare*: prompts and models over the same examples, and what tells them apart."""

from __future__ import annotations

import gradio as gr

from ..context import Workbench
from . import (
    answer_edit_section,
    endpoint,
    grid_section,
    paired_tests_section,
    setup_section,
)
from .run import Run


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: what is compared, then the grid, pairs of columns, edited answers."""
    chosen = setup_section.section(bench)
    run = Run()
    with gr.Tabs(elem_id="compare-views") as views:
        with gr.Tab("Grid", id="compare-grid"):
            looked_at = grid_section.section(bench, run)
        with gr.Tab("Paired tests", id="compare-pairs"):
            tested = paired_tests_section.section(run)
        with gr.Tab("Edit answers", id="compare-edit") as editing:
            column = answer_edit_section.section(run, editing)
    run.connect(bench, chosen, [*looked_at, views, *tested, column])
    endpoint.connect(bench)
