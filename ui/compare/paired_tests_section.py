"""The section *Paired tests*: two columns in words, and all pairs as a matrix."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components.errors import html_or_error
from ..components.html import html_panel, note
from ..components.listeners import on_latest
from . import paired_tests
from .comparison_sheet import ComparisonSheet
from .run import GridRun


def build_paired_tests_section(run: GridRun) -> list[gr.Dropdown]:
    """Lay the section out and connect it. Returns the boxes of the two columns."""
    with gr.Row():
        first = gr.Dropdown([], label="First column", min_width=220, elem_id="pair-first")
        second = gr.Dropdown([], label="Second column", min_width=220, elem_id="pair-second")
    told = html_panel(str(note(paired_tests.WAITING)), name="pair-result")
    matrix = html_panel(name="pair-matrix")
    new = [run.sheet.change, run.ended.change]
    on_latest([*new, first.change, second.change], _pair, [run.sheet, first, second], told)
    on_latest(new, _matrix, run.sheet, matrix)
    return [first, second]


@html_or_error
def _pair(sheet: ComparisonSheet | None, a: str | None, b: str | None) -> Any:
    if sheet is None or len(sheet.complete()) < 2:
        return note(paired_tests.WAITING)
    return paired_tests.paired_test_html(sheet, a or "", b or "")


@html_or_error
def _matrix(sheet: ComparisonSheet | None) -> Any:
    return (
        "" if sheet is None or len(sheet.complete()) < 2 else paired_tests.paired_matrix_html(sheet)
    )
