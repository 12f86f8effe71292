"""The tab *Compare*: prompts and models over the same examples, and what tells them apart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from .drawing import error, note, panel
from .grid import detail, edit, endpoint, pairs, setup, table
from .grid.sheet import FILTERS, ORDERS, Sheet, make_sheet
from .listening import AT_MODEL, QUIET
from .telling import drawn_or_told
from .workbench import Workbench

_EMPTY = "Tick prompts and models, then run: the grid fills as the answers come."
_BETWEEN_DRAWINGS = 0.3
"""Seconds; a drawing sends a page of the grid."""


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out: what is compared, then the grid, pairs of columns, edited answers."""
    sheet = gr.State(None)
    chosen = setup.section(bench)
    with gr.Row(elem_classes="pl-compare-run"):
        run = gr.Button("Run", variant="primary", scale=0, min_width=140, elem_id="compare-run")
        cancel = gr.Button(
            "Cancel", scale=0, min_width=110, interactive=False, elem_id="compare-cancel"
        )
        progress = panel(str(note(_EMPTY)), name="compare-progress")
    with gr.Tabs(elem_id="compare-views") as views:
        with gr.Tab("Grid", id="compare-grid"):
            viewed = _grid(sheet)
        with gr.Tab("Paired tests", id="compare-pairs") as testing:
            tested = _pairs(sheet, testing)
        with gr.Tab("Edit answers", id="compare-edit") as editing:
            column = edit.section(sheet, editing)
    _connect(bench, chosen, sheet, run, cancel, progress, viewed, [*tested, column], views)
    endpoint.connect(bench)


def _grid(sheet: gr.State) -> list[Any]:
    """The grid with its filter, its pages and a cell's detail. Returns what a drawing needs."""
    with gr.Row(elem_classes="pl-compare-bar"):
        keep = gr.Radio(FILTERS, value="all", label="Show", scale=4, min_width=300)
        order = gr.Radio(ORDERS, value="split", label="Order", scale=3, min_width=240)
        number = gr.Number(
            1, label="Page", minimum=1, precision=0, scale=0, min_width=110, elem_id="compare-page"
        )
    with gr.Row(elem_classes="pl-compare-view"):
        with gr.Column(scale=7, min_width=320):
            drawn = gr.HTML(
                "",
                elem_id="compare-table",
                elem_classes="pl-panel",
                apply_default_css=False,
                js_on_load=table.SCRIPT,
            )
        with gr.Column(scale=4, min_width=300, elem_classes="pl-compare-aside"):
            cell = panel(str(note(detail.HINT)), name="compare-detail")

    def show(sheet: Sheet | None, keep: str, order: str, number: float | None) -> str:
        return "" if sheet is None else str(table.draw(sheet, keep, order, int(number or 1)))

    def first(sheet: Sheet | None, keep: str, order: str) -> tuple[str, int]:
        return show(sheet, keep, order, 1), 1

    def look(sheet: Sheet | None, event: gr.EventData) -> str:
        if sheet is None:
            return str(note(detail.HINT))
        try:
            return str(detail.draw(sheet, *detail.read_cell(sheet, event.cell)))
        except (pl.PromptlabError, AttributeError) as problem:
            return str(error(problem))

    gr.on([keep.input, order.input], first, [sheet, keep, order], [drawn, number], **QUIET)
    number.input(show, [sheet, keep, order, number], drawn, **QUIET)
    drawn.click(look, sheet, cell, **QUIET)
    return [keep, order, number, drawn, cell]


def _pairs(sheet: gr.State, page: gr.Tab) -> list[gr.Dropdown]:
    """Two boxes for a pair, and the matrix. Returns the boxes."""
    with gr.Row():
        first = gr.Dropdown([], label="First column", min_width=220, elem_id="pair-first")
        second = gr.Dropdown([], label="Second column", min_width=220, elem_id="pair-second")
    told = panel(str(note(pairs.WAITING)), name="pair-result")
    matrix = panel(name="pair-matrix")

    @drawn_or_told
    def show(sheet: Sheet | None, a: str | None, b: str | None) -> str:
        if sheet is None or len(sheet.complete()) < 2:
            return str(note(pairs.WAITING))
        return str(pairs.draw_pair(sheet, a or "", b or ""))

    def both(sheet: Sheet | None, a: str | None, b: str | None) -> tuple[str, str]:
        if sheet is None or len(sheet.complete()) < 2:
            return show(sheet, a, b), ""
        try:
            return show(sheet, a, b), str(pairs.draw_matrix(sheet))
        except pl.PromptlabError as problem:
            return show(sheet, a, b), str(error(problem))

    gr.on([first.input, second.input], show, [sheet, first, second], told, **QUIET)
    page.select(both, [sheet, first, second], [told, matrix], **QUIET)
    return [first, second]


def _connect(
    bench: Workbench,
    chosen: setup.Setup,
    sheet: gr.State,
    run: gr.Button,
    cancel: gr.Button,
    progress: gr.HTML,
    viewed: list[Any],
    columns: list[gr.Dropdown],
    views: gr.Tabs,
) -> None:
    """What *Run* and *Cancel* do."""
    keep, order, number, drawn, cell = viewed

    def begin(
        data: str, upload: str | None, text: str, label: str, count: float | None,
        listed: list[Any], ticked: list[str], models: list[str], device: str, dtype: str,
    ) -> tuple[Any, ...]:  # fmt: skip
        try:
            task = setup.task_of(data, upload, text, label, count)
            loads = {name: partial(bench.load, name, device, dtype) for name in models}
            made = make_sheet(task, count, setup.chosen(listed, ticked), loads)
        except pl.PromptlabError as problem:
            return (gr.skip(), str(error(problem)), *(gr.skip() for _ in range(8)))
        names = [head.name for head in made.heads]
        second = names[1] if len(names) > 1 else None
        return (
            made,
            str(draw_progress(made)),
            gr.Button(interactive=False),
            gr.Button(interactive=True),
            1,
            str(note(detail.HINT)),
            gr.Tabs(selected="compare-grid"),
            gr.Dropdown(names, value=names[0]),
            gr.Dropdown(names, value=second),
            gr.Dropdown(names, value=names[0]),
        )

    def fill(sheet: Sheet | None, keep: str, order: str) -> Iterator[tuple[str, str]]:
        if sheet is not None and sheet.state == "waiting":
            for _ in work(sheet):
                yield str(draw_progress(sheet)), str(table.draw(sheet, keep, order, 1))

    def stop(sheet: Sheet | None) -> Any:
        if sheet is not None:
            sheet.grid.cancellation.request()
        return gr.Button(interactive=False)

    begun = [sheet, progress, run, cancel, number, cell, views, *columns]
    run.click(begin, chosen.boxes, begun, **QUIET).then(
        fill,
        [sheet, keep, order],
        [progress, drawn],
        **AT_MODEL,
        **QUIET,
    ).then(
        lambda: (gr.Button(interactive=True), gr.Button(interactive=False)),
        None,
        [run, cancel],
        **QUIET,
    )
    cancel.click(stop, sheet, cancel, queue=False, **QUIET)


def work(sheet: Sheet) -> Iterator[None]:
    """Fill a sheet; comes up for air every time that there is something new to draw."""
    sheet.state, sheet.started = "running", time.monotonic()
    drawn = 0.0
    try:
        for _ in sheet.grid.run():
            sheet.seconds = time.monotonic() - sheet.started
            if time.monotonic() - drawn > _BETWEEN_DRAWINGS:
                yield
                drawn = time.monotonic()
        sheet.state = "done"
    except pl.Cancelled:
        sheet.state = "cancelled"
    finally:
        if sheet.state == "running":
            sheet.state = "failed"
    sheet.seconds = time.monotonic() - sheet.started
    yield


def draw_progress(sheet: Sheet) -> Markup:
    """A bar, and in words how far the grid is."""
    done, of = sheet.grid.done, sheet.grid.cells
    share = done / of
    told = {
        "waiting": "Waiting for the model …",
        "running": f"{done} of {of} cells{_left(sheet, share)}",
        "done": f"{of} cells in {sheet.seconds:.1f} s",
        "cancelled": f"Cancelled: {done} of {of} cells; what is filled stays",
        "failed": f"Stopped at {done} of {of} cells",
    }[sheet.state]
    return Markup(
        '<div class="pl-compare-progress"><span class="pl-bar-track" role="progressbar" '
        'aria-valuemin="0" aria-valuemax="{}" aria-valuenow="{}" aria-label="cells filled">'
        '<span style="width:{:.1f}%"></span></span><small>{}</small><small>{}</small></div>'
    ).format(of, done, 100 * share, told, sheet.about)


def _left(sheet: Sheet, share: float) -> str:
    if not 0.1 < share < 1:
        return ""
    return f", about {sheet.seconds * (1 - share) / share:.0f} s left"
