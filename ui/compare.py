"""The tab *Compare*: prompts and models over the same examples, and what tells them apart."""

from __future__ import annotations

import gradio as gr

from .grid import editor, endpoint, pairing, setup, view
from .grid.filling import Run
from .workbench import Workbench


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: what is compared, then the grid, pairs of columns, edited answers."""
    chosen = setup.section(bench)
    run = Run()
    with gr.Tabs(elem_id="compare-views") as views:
        with gr.Tab("Grid", id="compare-grid"):
            looked_at = view.section(bench, run)
        with gr.Tab("Paired tests", id="compare-pairs"):
            tested = pairing.section(run)
        with gr.Tab("Edit answers", id="compare-edit") as editing:
            column = editor.section(run, editing)
    run.connect(bench, chosen, [*looked_at, views, *tested, column])
    endpoint.connect(bench)
