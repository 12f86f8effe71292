"""The section *Paired tests*: two columns in words, and all pairs as a matrix."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components.errors import drawn_or_told
from ..components.html import note, panel
from ..components.listeners import on_last
from . import paired_tests
from .comparison_sheet import Sheet
from .run import Run


def section(run: Run) -> list[gr.Dropdown]:
    """Lay the section out and connect it. Returns the boxes of the two columns."""
    with gr.Row():
        first = gr.Dropdown([], label="First column", min_width=220, elem_id="pair-first")
        second = gr.Dropdown([], label="Second column", min_width=220, elem_id="pair-second")
    told = panel(str(note(paired_tests.WAITING)), name="pair-result")
    matrix = panel(name="pair-matrix")
    new = [run.sheet.change, run.ended.change]
    on_last([*new, first.change, second.change], _pair, [run.sheet, first, second], told)
    on_last(new, _matrix, run.sheet, matrix)
    return [first, second]


@drawn_or_told
def _pair(sheet: Sheet | None, a: str | None, b: str | None) -> Any:
    if sheet is None or len(sheet.complete()) < 2:
        return note(paired_tests.WAITING)
    return paired_tests.draw_pair(sheet, a or "", b or "")


@drawn_or_told
def _matrix(sheet: Sheet | None) -> Any:
    return "" if sheet is None or len(sheet.complete()) < 2 else paired_tests.draw_matrix(sheet)
