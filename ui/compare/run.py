"""A grid that is run: begun, filled column by column, stopped; its bar tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.errors import Cancelled

from ..components.html import error, html_panel, note
from ..components.listeners import MODEL_QUEUE, PRIVATE, on_latest
from ..components.markup import Markup
from ..context import AppContext, ModelLoader
from .comparison_sheet import ComparisonSheet, make_sheet, open_comparison_task
from .prompts import select_prompts
from .setup_section import ComparisonSetup

_EMPTY = "Tick prompts and models, then run: the grid fills as the answers come."
_BETWEEN_DRAWINGS = 0.3
"""Seconds; a drawing sends a page of the grid."""


class GridRun:
    """The buttons of a run and what a window knows of it.

    ``sheet`` holds the grid that is looked at, ``bell`` changes whenever there may be something
    new to draw, ``ended`` when a run is over. Whatever shows the grid listens to these three and
    draws from ``sheet``: a run itself writes nothing on the page.
    """

    def __init__(self) -> None:
        self.sheet, self.bell, self.ended = gr.State(None), gr.State(0), gr.State(0)
        with gr.Row(elem_classes="pl-compare-run"):
            self.start = gr.Button(
                "Run", variant="primary", scale=0, min_width=140, elem_id="compare-run"
            )
            self.cancel = gr.Button(
                "Cancel", scale=0, min_width=110, interactive=False, elem_id="compare-cancel"
            )
            self.progress = html_panel(str(note(_EMPTY)), name="compare-progress")
        self.complaint = html_panel(name="compare-complaint")

    def connect(self, context: AppContext, setup: ComparisonSetup, views: list[Any]) -> None:
        """What the buttons do. ``views`` are the components that `shown_first` has values for."""
        begin = partial(_begin, context.load_model, len(views))
        inputs, outputs = [self.sheet, *setup.boxes], [self.sheet, self.complaint, *views]
        begun = self.start.click(begin, inputs, outputs, **PRIVATE)
        filled = begun.then(
            _fill, self.sheet, self.bell, trigger_mode="always_last", **MODEL_QUEUE, **PRIVATE
        )
        filled.then(lambda: (_ring(), _ring()), None, [self.bell, self.ended], **PRIVATE)
        self.cancel.click(_stop, self.sheet, self.bell, queue=False, **PRIVATE)
        on_latest(
            [self.sheet.change, self.bell.change],
            _far,
            self.sheet,
            [self.progress, self.start, self.cancel],
        )


def _begin(
    load_model: ModelLoader, views: int, before: ComparisonSheet | None, *boxes: Any
) -> tuple[Any, ...]:
    """A new grid in place of the one before, which is told to stop."""
    *data, listed, ticked, models, device, dtype = boxes
    try:
        task = open_comparison_task(*data)
        loads = {name: partial(load_model, name, device, dtype) for name in models}
        made = make_sheet(task, data[-1], select_prompts(listed, ticked), loads)
    except pl.PromptlabError as problem:
        return gr.skip(), str(error(problem)), *(gr.skip() for _ in range(views))
    if before is not None:
        before.grid.cancellation.request()
    return made, "", *shown_first(made)


def shown_first(sheet: ComparisonSheet) -> tuple[Any, ...]:
    """Where a new grid starts: its first page, no cell, the tab, the columns of the boxes."""
    names = [head.name for head in sheet.heads]
    second = names[1] if len(names) > 1 else None
    return (
        0,
        "",
        gr.Tabs(selected="compare-grid"),
        gr.Dropdown(names, value=names[0]),
        gr.Dropdown(names, value=second),
        gr.Dropdown(names, value=names[0]),
    )


def _fill(sheet: ComparisonSheet | None) -> Iterator[int]:
    if sheet is not None and sheet.state == "waiting":
        for _ in fill_sheet(sheet):
            yield _ring()


def _stop(sheet: ComparisonSheet | None) -> int:
    if sheet is not None:
        sheet.grid.cancellation.request()
    return _ring()


def _far(sheet: ComparisonSheet | None) -> tuple[Any, ...]:
    at_work = sheet is not None and sheet.state in ("waiting", "running")
    stopping = sheet is not None and sheet.grid.cancellation.requested
    return (
        str(note(_EMPTY) if sheet is None else progress_html(sheet)),
        gr.Button(interactive=not at_work),
        gr.Button(interactive=at_work and not stopping),
    )


def _ring() -> int:
    return time.monotonic_ns()


def fill_sheet(sheet: ComparisonSheet) -> Iterator[None]:
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
    except Cancelled:
        sheet.state = "cancelled"
    finally:
        if sheet.state == "running":
            sheet.state = "failed"
    sheet.seconds = time.monotonic() - sheet.started
    yield


def progress_html(sheet: ComparisonSheet) -> Markup:
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
    if sheet.state in ("waiting", "running") and sheet.grid.cancellation.requested:
        told = f"Cancelling after this step: {done} of {of} cells …"
    return Markup(
        '<div class="pl-compare-progress"><span class="pl-bar-track" role="progressbar" '
        'aria-valuemin="0" aria-valuemax="{}" aria-valuenow="{}" aria-label="cells filled">'
        '<span style="width:{:.1f}%"></span></span><small>{}</small><small>{}</small></div>'
    ).format(of, done, 100 * share, told, sheet.about)


def _left(sheet: ComparisonSheet, share: float) -> str:
    if not 0.1 < share < 1:
        return ""
    return f", about {sheet.seconds * (1 - share) / share:.0f} s left"
