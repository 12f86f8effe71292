"""The section *Grid*: its filter, its order, its pages, a cell's detail, and files of it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..components.errors import html_or_error, raise_gradio_errors
from ..components.html import html_panel, note
from ..components.listeners import PRIVATE, on_latest
from ..components.pick_list import keep_page, keep_place, offer_download
from . import cell_detail, export, table
from .comparison_sheet import FILTERS, ORDERS, ComparisonSheet
from .run import GridRun

_TABLE = "compare-table"


def build_grid_section(download_path: Callable[[str], Path], run: GridRun) -> list[Any]:
    """Lay the section out and connect it. Returns the page and the cell that are looked at."""
    with gr.Row(elem_classes="pl-compare-bar"):
        keep = gr.Radio(FILTERS, value="all", label="Show", scale=4, min_width=300)
        order = gr.Radio(ORDERS, value="split", label="Order", scale=3, min_width=240)
    with gr.Row(elem_classes="pl-compare-view"):
        with gr.Column(scale=7, min_width=320):
            drawn = gr.HTML(
                "",
                elem_id=_TABLE,
                elem_classes="pl-panel",
                apply_default_css=False,
                js_on_load=table.SCRIPT,
            )
            buttons = _buttons()
        with gr.Column(scale=4, min_width=300, elem_classes="pl-compare-aside"):
            told = html_panel(str(note(cell_detail.HINT)), name="compare-detail")
    page, cell = keep_page(drawn, _TABLE), keep_place(drawn, _TABLE)
    gr.on([keep.change, order.change], None, None, page, js="() => 0", **PRIVATE)
    new = [run.sheet.change, run.bell.change]
    turned = [keep.change, order.change, page.change]
    on_latest([*new, *turned], _page, [run.sheet, keep, order, page], drawn)
    on_latest([run.sheet.change, cell.change], _cell, [run.sheet, cell], told)
    for form, button in buttons.items():
        _offer(download_path, run, form, button)
    return [page, cell]


def _page(sheet: ComparisonSheet | None, keep: str, order: str, page: float | None) -> str:
    return "" if sheet is None else str(table.table_html(sheet, keep, order, int(page or 0)))


@html_or_error
def _cell(sheet: ComparisonSheet | None, cell: str) -> Any:
    if sheet is None or not cell:
        return note(cell_detail.HINT)
    return cell_detail.cell_html(sheet, *cell_detail.read_cell(sheet, cell))


def _buttons() -> dict[str, gr.Button]:
    with gr.Row(elem_classes="pl-tools"):
        return {
            form: gr.Button(title, size="sm", min_width=160, elem_id=f"compare-save-{form}")
            for form, (title, _) in export.FORMS.items()
        }


def _offer(
    download_path: Callable[[str], Path], run: GridRun, form: str, button: gr.Button
) -> None:
    """Let a button hand out the grid as a file."""

    @raise_gradio_errors()
    def made(sheet: ComparisonSheet | None) -> Path:
        text = export.export_sheet(form, sheet)
        path = download_path(export.FORMS[form][1])
        path.write_text(text, encoding="utf-8")
        return path

    offer_download(button, made, [run.sheet], f"compare-file-{form}")
