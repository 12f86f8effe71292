"""The section *Run*: studies started, watched while they run, paused, resumed, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

import promptlab as pl

from ..charts import section as charts
from ..drawing import error, panel
from ..listening import QUIET, rest_elsewhere
from ..workbench import Workbench
from . import steering
from .board import board_panel
from .endpoints import endpoints
from .outcome import Outcome
from .start import form, start
from .view import Seen, Sight

_SECONDS = 1.5
"""Between two looks at what runs."""


def section(app: gr.Blocks, bench: Workbench, page: gr.Tab, part: gr.Tab) -> None:
    """Lay the section out and connect it; it looks by itself while ``page`` is open."""
    with gr.Row(elem_classes="pl-study"):
        with gr.Column(scale=2, min_width=250, elem_classes="pl-study-side"):
            study = gr.Radio([], label="Studies", elem_id="study-list", elem_classes="pl-studies")
            again = gr.Button("Look again", size="sm", elem_id="study-look")
            shipped = form(bench)
        with gr.Column(scale=7, min_width=320):
            head = panel(name="study-head")
            steer = steering.buttons()
            now = panel(name="study-now")
            outcome = Outcome(bench, study)
            board = board_panel("study-board")
            timer, moment = gr.Timer(_SECONDS, active=False), gr.State("")
            with gr.Accordion("Charts", open=True, elem_id="study-charts"):
                charts.section(bench, study, [moment.change])
            with gr.Accordion("Log", open=True, elem_id="study-log-box"):
                log = panel(name="study-log")
    seen = gr.State(Seen())
    shown = [
        study, head, now, board, log, *steer.steering, moment, timer, *outcome.outputs, seen,
    ]  # fmt: skip

    def look(name: str | None, seen: Seen) -> list[Any]:
        """What is new about the studies and the chosen one, and nothing else."""
        sight = Sight.of(bench, name)
        can = steering.makes_sense(sight)
        choices, moment = sight.choices, sight.moment
        decided = sight.chosen if sight.state == "decided" else None
        ends = [gr.skip()] * len(outcome.outputs)
        if seen.sent.get("outcome", "") != decided:
            seen.sent["outcome"] = decided
            ends = outcome.updates(decided)
        listed = gr.Radio(choices, value=sight.chosen)
        return [
            seen.new("studies", (choices, sight.chosen, name == sight.chosen), listed),
            seen.new("head", sight.head()),
            seen.new("now", sight.now()),
            seen.new("board", sight.board()),
            seen.new("log", sight.log(bench)),
            *(seen.new(f"can {place}", can[place], gr.Button(interactive=can[place]))
              for place in range(len(can))),
            seen.new("moment", moment),
            seen.new("timer", sight.active, gr.Timer(active=sight.active)),
            *ends,
            seen,
        ]  # fmt: skip

    def opened(name: str | None, seen: Seen) -> list[Any]:
        """The page is opened: the timer may have stood still."""
        seen.sent.pop("timer", None)
        return look(name, seen)

    def begin(which: str, model: str, trials: float | None, name: str, seen: Seen) -> list[Any]:
        try:
            chosen = start(bench, which, model, trials, name)
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip(), *[gr.skip()] * len(shown)]
        seen.sent.pop("studies", None)
        return ["", "", *look(chosen, seen)]

    def act(action: Callable[[str], None]) -> Callable[..., list[Any]]:
        def acted(name: str | None, seen: Seen) -> list[Any]:
            told = ""
            try:
                if name is not None:
                    action(name)
            except pl.PromptlabError as problem:
                told = str(error(problem))
            return [told, gr.Group(visible=False), *look(name, seen)]

        return acted

    def ask(name: str | None) -> tuple[Any, str]:
        return gr.Group(visible=True), steering.question(Sight.of(bench, name))

    jobs, known = bench.jobs, [study, seen]
    timer.tick(look, known, shown, **QUIET)  # queued: else no state is told to change
    study.input(look, known, shown, **QUIET)
    gr.on([page.select, part.select, again.click], opened, known, shown, **QUIET)
    shipped.button.click(
        begin, [*shipped.boxes, seen], [shipped.told, shipped.name, *shown], **QUIET
    )
    told = [steer.told, steer.asked]
    steer.pause.click(act(jobs.pause), known, [*told, *shown], **QUIET)
    steer.resume.click(act(jobs.resume), known, [*told, *shown], **QUIET)
    steer.yes.click(act(jobs.cancel), known, [*told, *shown], **QUIET)
    steer.cancel.click(ask, study, [steer.asked, steer.question], **QUIET)
    steer.no.click(lambda: gr.Group(visible=False), None, steer.asked, **QUIET)
    rest_elsewhere(page, timer)
    endpoints(bench)
