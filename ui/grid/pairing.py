"""The section *Paired tests*: two columns in words, and all pairs as a matrix."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..drawing import note, panel
from ..listening import on_last
from ..telling import drawn_or_told
from . import pairs
from .filling import Run
from .sheet import Sheet


def section(run: Run) -> list[gr.Dropdown]:
    """Lay the section out and connect it. Returns the boxes of the two columns."""
    with gr.Row():
        first = gr.Dropdown([], label="First column", min_width=220, elem_id="pair-first")
        second = gr.Dropdown([], label="Second column", min_width=220, elem_id="pair-second")
    told = panel(str(note(pairs.WAITING)), name="pair-result")
    matrix = panel(name="pair-matrix")
    new = [run.sheet.change, run.ended.change]
    on_last([*new, first.change, second.change], _pair, [run.sheet, first, second], told)
    on_last(new, _matrix, run.sheet, matrix)
    return [first, second]


@drawn_or_told
def _pair(sheet: Sheet | None, a: str | None, b: str | None) -> Any:
    if sheet is None or len(sheet.complete()) < 2:
        return note(pairs.WAITING)
    return pairs.draw_pair(sheet, a or "", b or "")


@drawn_or_told
def _matrix(sheet: Sheet | None) -> Any:
    return "" if sheet is None or len(sheet.complete()) < 2 else pairs.draw_matrix(sheet)
