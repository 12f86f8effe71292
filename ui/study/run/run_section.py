"""The section *Run*: studies started, watched while they run, paused, resumed, cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ...components.html import error, panel
from ...components.listeners import QUIET, SIDE_BY_SIDE, on_last, rest_elsewhere
from ...components.session_diff import Seen, receipt_box
from ...context import Workbench
from ..charts import section as charts
from .endpoints import endpoints
from .leaderboard_table import board_panel
from .outcome import Outcome
from .run_controls import Steering
from .start_section import Form, form, start
from .study_view import Sight

_SOON, _LATER = 1.5, 10.0
"""Seconds between two looks: at what runs, and at what others may start."""


@dataclass(frozen=True)
class Places:
    """What a look fills."""

    study: gr.Radio
    head: gr.HTML
    steering: Steering
    now: gr.HTML
    outcome: Outcome
    board: gr.HTML
    log: gr.HTML
    moment: gr.State
    charts: gr.Accordion
    timer: gr.Timer
    seen: gr.State
    receipt: gr.Number

    @property
    def outputs(self) -> list[Any]:
        """In the order of `news`, the receipt last."""
        return [
            self.study, self.head, *self.steering.outputs, self.now, *self.outcome.outputs,
            self.board, self.log, self.moment, self.charts, self.timer, self.seen, self.receipt,
        ]  # fmt: skip

    @property
    def known(self) -> list[Any]:
        """What every look knows of its window."""
        return [self.seen, self.receipt]

    def news(self, seen: Seen, sight: Sight) -> list[Any]:
        """What is new about the studies and the chosen one, and nothing else."""
        seen.study = sight.chosen  # of a window that has chosen none, the first one from now on
        listed = gr.Radio(sight.choices, value=sight.chosen)
        decided = sight.chosen if sight.state == "decided" else None
        found = [
            seen.new("studies", (sight.choices, sight.chosen), listed),
            seen.new("head", sight.head()),
            *self.steering.news(seen, sight.chosen, sight.found),
            seen.new("now", sight.now()),
            *self.outcome.news(seen, decided),
            seen.new("board", sight.board()),
            seen.new("log", sight.log()),
            seen.new("moment", sight.moment),
            seen.new("charts", sight.searches, gr.Accordion(visible=sight.searches)),
        ]
        seconds = _SOON if sight.active or not seen.settled else _LATER
        return [*found, seen.new("timer", seconds, gr.Timer(seconds, active=True)), seen]


def section(app: gr.Blocks, bench: Workbench, page: gr.Tab, part: gr.Tab) -> None:
    """Lay the section out and connect it; it looks by itself while ``page`` is open."""
    places, again, shipped = _lay_out(bench)
    known, shown = places.known, places.outputs

    def look(seen: Seen, receipt: float | None) -> list[Any]:
        return seen.look(
            lambda: Sight.of(bench, seen.study), lambda sight: places.news(seen, sight), receipt
        )

    def opened(seen: Seen, receipt: float | None) -> list[Any]:
        """The page is opened: the timer may have stood still."""
        seen.forget("timer")
        return look(seen, receipt)

    def chosen(name: str | None, seen: Seen, receipt: float | None) -> list[Any]:
        seen.choose(study=name)
        seen.forget("studies")  # the page has changed its mark by itself
        return look(seen, receipt)

    def begin(
        which: str,
        model: str,
        trials: float | None,
        name: str,
        seen: Seen,
        receipt: float | None,
    ) -> list[Any]:
        try:
            seen.choose(study=start(bench, which, model, trials, name))
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip(), *[gr.skip()] * len(shown)]
        return ["", "", *look(seen, receipt)]

    places.timer.tick(look, known, shown, **QUIET)  # queued: else no state is told to change
    on_last([page.select, part.select, again.click], opened, known, shown, **SIDE_BY_SIDE)
    on_last(places.study.input, chosen, [places.study, *known], shown, **SIDE_BY_SIDE)
    shipped.button.click(
        begin, [*shipped.boxes, *known], [shipped.told, shipped.name, *shown], **QUIET
    )
    places.steering.connect(bench, look, [places.study, *known], shown)
    places.outcome.connect(look, known, shown)
    rest_elsewhere(page, places.timer)
    endpoints(bench)


def _lay_out(bench: Workbench) -> tuple[Places, gr.Button, Form]:
    """The places, the button that looks again, and the form that starts a study."""
    with gr.Row(elem_classes="pl-study"):
        with gr.Column(scale=2, min_width=250, elem_classes="pl-study-side"):
            study = gr.Radio([], label="Studies", elem_id="study-list", elem_classes="pl-studies")
            again = gr.Button("Look again", size="sm", elem_id="study-look")
            shipped = form(bench)
        with gr.Column(scale=7, min_width=320):
            head = panel(name="study-head")
            steering = Steering()
            now = panel(name="study-now")
            outcome = Outcome(bench)
            board = board_panel("study-board")
            timer, moment = gr.Timer(_LATER, active=False), gr.State("")
            with gr.Accordion("Charts", open=True, elem_id="study-charts") as drawn:
                charts.section(bench, study, [moment.change])
            with gr.Accordion("Log", open=True, elem_id="study-log-box"):
                log = panel(name="study-log")
    seen, receipt = gr.State(Seen()), receipt_box()
    places = Places(
        study, head, steering, now, outcome, board, log, moment, drawn, timer, seen, receipt
    )  # fmt: skip
    return places, again, shipped
