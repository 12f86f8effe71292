"""The section *Run*: studies started, watched while they run, paused, resumed, cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.html import error, html_panel
from ...components.listeners import DEFAULT_CONCURRENCY, PRIVATE, on_latest, pause_when_hidden
from ...components.session_diff import SessionDiff, receipt_box
from ...context import AppContext
from ..charts import section as charts
from .endpoints import add_study_endpoints
from .leaderboard_table import board_panel
from .outcome import StudyResultFiles
from .run_controls import RunControls
from .start_section import StudyForm, build_study_form, start_shipped_study
from .study_view import StudyView

_SOON, _LATER = 1.5, 10.0
"""Seconds between two looks: at what runs, and at what others may start."""


@dataclass(frozen=True)
class RunOutputs:
    """What a look fills."""

    study: gr.Radio
    head: gr.HTML
    steering: RunControls
    now: gr.HTML
    outcome: StudyResultFiles
    board: gr.HTML
    log: gr.HTML
    moment: gr.State
    charts: gr.Accordion
    timer: gr.Timer
    seen: gr.State
    receipt: gr.Number

    @property
    def outputs(self) -> list[Any]:
        """In the order of `updates`, the receipt last."""
        return [
            self.study, self.head, *self.steering.outputs, self.now, *self.outcome.outputs,
            self.board, self.log, self.moment, self.charts, self.timer, self.seen, self.receipt,
        ]  # fmt: skip

    @property
    def known(self) -> list[Any]:
        """What every look knows of its window."""
        return [self.seen, self.receipt]

    def updates(self, seen: SessionDiff, sight: StudyView) -> list[Any]:
        """What is new about the studies and the chosen one, and nothing else."""
        seen.study = sight.chosen  # of a window that has chosen none, the first one from now on
        listed = gr.Radio(sight.choices, value=sight.chosen)
        decided = sight.chosen if sight.state == "decided" else None
        found = [
            seen.changed("studies", (sight.choices, sight.chosen), listed),
            seen.changed("head", sight.head()),
            *self.steering.updates(seen, sight.chosen, sight.found),
            seen.changed("now", sight.now()),
            *self.outcome.updates(seen, decided),
            seen.changed("board", sight.board()),
            seen.changed("log", sight.log()),
            seen.changed("moment", sight.moment),
            seen.changed("charts", sight.searches, gr.Accordion(visible=sight.searches)),
        ]
        seconds = _SOON if sight.active or not seen.is_up_to_date else _LATER
        return [*found, seen.changed("timer", seconds, gr.Timer(seconds, active=True)), seen]


def build_run_section(app: gr.Blocks, context: AppContext, page: gr.Tab, part: gr.Tab) -> None:
    """Lay the section out and connect it; it looks by itself while ``page`` is open."""
    places, again, shipped = _lay_out(context)
    known, shown = places.known, places.outputs

    def look(seen: SessionDiff, receipt: float | None) -> list[Any]:
        return seen.poll(
            lambda: StudyView.of(context, seen.study),
            lambda sight: places.updates(seen, sight),
            receipt,
        )

    def opened(seen: SessionDiff, receipt: float | None) -> list[Any]:
        """The page is opened: the timer may have stood still."""
        seen.invalidate("timer")
        return look(seen, receipt)

    def chosen(name: str | None, seen: SessionDiff, receipt: float | None) -> list[Any]:
        seen.choose(study=name)
        seen.invalidate("studies")  # the page has changed its mark by itself
        return look(seen, receipt)

    def begin(
        which: str,
        model: str,
        trials: float | None,
        name: str,
        seen: SessionDiff,
        receipt: float | None,
    ) -> list[Any]:
        try:
            seen.choose(study=start_shipped_study(context.queue, which, model, trials, name))
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip(), *[gr.skip()] * len(shown)]
        return ["", "", *look(seen, receipt)]

    places.timer.tick(look, known, shown, **PRIVATE)  # queued: else no state is told to change
    on_latest([page.select, part.select, again.click], opened, known, shown, **DEFAULT_CONCURRENCY)
    on_latest(places.study.input, chosen, [places.study, *known], shown, **DEFAULT_CONCURRENCY)
    shipped.button.click(
        begin, [*shipped.boxes, *known], [shipped.told, shipped.name, *shown], **PRIVATE
    )
    places.steering.connect(context, look, [places.study, *known], shown)
    places.outcome.connect(look, known, shown)
    pause_when_hidden(page, places.timer)
    add_study_endpoints(context)


def _lay_out(context: AppContext) -> tuple[RunOutputs, gr.Button, StudyForm]:
    """The places, the button that looks again, and the form that starts a study."""
    with gr.Row(elem_classes="pl-study"):
        with gr.Column(scale=2, min_width=250, elem_classes="pl-study-side"):
            study = gr.Radio([], label="Studies", elem_id="study-list", elem_classes="pl-studies")
            again = gr.Button("Refresh", size="sm", elem_id="study-look")
            shipped = build_study_form(context.models)
        with gr.Column(scale=7, min_width=320):
            head = html_panel(name="study-head")
            steering = RunControls()
            now = html_panel(name="study-now")
            outcome = StudyResultFiles(context)
            board = board_panel("study-board")
            timer, moment = gr.Timer(_LATER, active=False), gr.State("")
            with gr.Accordion("Charts", open=True, elem_id="study-charts") as drawn:
                charts.build_charts_section(context.runs, study, [moment.change])
            with gr.Accordion("Log", open=True, elem_id="study-log-box"):
                log = html_panel(name="study-log")
    seen, receipt = gr.State(SessionDiff()), receipt_box()
    places = RunOutputs(
        study, head, steering, now, outcome, board, log, moment, drawn, timer, seen, receipt
    )  # fmt: skip
    return places, again, shipped
