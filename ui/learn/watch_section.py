"""Watching: curves of all trials, the words of one, step by step, back and forth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import html_or_error
from ..components.html import error, html_panel, note
from ..components.listeners import (
    DEFAULT_CONCURRENCY,
    MODEL_QUEUE,
    PRIVATE,
    on_latest,
    pause_when_hidden,
)
from ..components.session_diff import SessionDiff, receipt_box
from ..context import AppContext
from ..study.run.run_controls import RunControls
from . import result
from .learning_view import LearningView
from .start_section import StartForm, submit_learning

_SOON, _LATER = 1.0, 10.0
"""Seconds between two looks: at what learns, and at what others may start."""


@dataclass
class LearnSession(SessionDiff):
    """What one window was sent, and what its user has picked; the rest follows what is new."""

    trial: int | None = None
    step: int | None = None
    folded: bool = False


@dataclass(frozen=True)
class LearnOutputs:
    """What a look fills."""

    study: gr.Dropdown
    trial: gr.Dropdown
    steering: RunControls
    head: gr.HTML
    curves: gr.HTML
    step: gr.Slider
    moment: gr.HTML
    strip: gr.HTML
    decided: gr.State
    timer: gr.Timer
    seen: gr.State
    receipt: gr.Number

    @property
    def outputs(self) -> list[Any]:
        """In the order of `updates`, the receipt last."""
        return [
            self.study, self.trial, *self.steering.outputs, self.head, self.curves, self.step,
            self.moment, self.strip, self.decided, self.timer, self.seen, self.receipt,
        ]  # fmt: skip

    @property
    def known(self) -> list[Any]:
        """What every look knows of its window."""
        return [self.seen, self.receipt]

    def updates(self, seen: LearnSession, sight: LearningView) -> list[Any]:
        """What is new, place by place, and nothing else."""
        if seen.step is not None and seen.step >= sight.last:
            seen.step = None  # at the end it follows what comes
        moment, strip = sight.words()
        choices = [(title, number) for number, title in sight.titles.items()]
        names = gr.Dropdown(sight.names, value=sight.study)
        found = [
            seen.changed("study", (sight.names, sight.study), names),
            seen.changed("trial", (choices, sight.trial), gr.Dropdown(choices, value=sight.trial)),
            *self.steering.updates(seen, sight.study, sight.progress or None),
            seen.changed("head", sight.head()),
            seen.changed("curves", sight.curves()),
            seen.changed("step", (sight.step, sight.last), _slider(sight)),
            seen.changed("moment", moment),
            seen.changed("strip", strip),
            seen.changed("decided", sight.study if sight.state == "decided" else ""),
        ]
        seconds = _SOON if sight.active or not seen.is_up_to_date else _LATER
        return [*found, seen.changed("timer", seconds, gr.Timer(seconds, active=True)), seen]


def build_watch_section(
    context: AppContext, page: gr.Tab, start: StartForm, box: gr.Accordion
) -> None:
    """Lay the section out and connect it with the form above it, in its ``box``."""
    places, final = _lay_out()
    known, outputs = places.known, places.outputs

    def look(seen: SessionDiff, receipt: float | None) -> list[Any]:
        assert isinstance(seen, LearnSession)
        return seen.poll(
            lambda: LearningView.of(context, seen.study, seen.trial, seen.step),
            lambda sight: places.updates(seen, sight),
            receipt,
        )

    def picked(key: str) -> Callable[..., list[Any]]:
        """Keep what was picked; another study or trial begins with its own last step."""

        def pick(value: Any, seen: LearnSession, receipt: float | None) -> list[Any]:
            follows = {"study": {"trial": None, "step": None}, "trial": {"step": None}}
            seen.choose(**{key: value}, **follows.get(key, {}))
            seen.invalidate(key)  # the page shows the pick by itself
            return look(seen, receipt)

        return pick

    def started(seen: LearnSession, receipt: float | None, *values: Any) -> list[Any]:
        try:
            name = submit_learning(context, *values)
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip(), *[gr.skip()] * len(outputs)]
        seen.choose(study=name, trial=None, step=None)
        told = note(f"{name} is queued; it goes on when this page is closed.")
        return [str(told), gr.Accordion(open=False), *look(seen, receipt)]

    def opened(seen: LearnSession, receipt: float | None) -> list[Any]:
        """The form is folded, once, when there is something to be seen."""
        seen.invalidate("timer")  # it may have stood still
        found = look(seen, receipt)
        fold = not seen.folded and bool((seen.sent.get("study") or [None, None])[1])
        seen.folded = seen.folded or fold
        return [gr.Accordion(open=False) if fold else gr.skip(), *found]

    def explain(name: str) -> str:
        return explanation_html(context, name)

    places.timer.tick(look, known, outputs, **PRIVATE)
    on_latest(page.select, opened, known, [box, *outputs], **DEFAULT_CONCURRENCY)
    for key in ("study", "trial", "step"):
        widget = getattr(places, key)
        on_latest(widget.input, picked(key), [widget, *known], outputs, **DEFAULT_CONCURRENCY)
    places.steering.connect(context, look, [places.study, *known], outputs)
    start.button.click(started, [*known, *start.boxes], [start.told, box, *outputs], **PRIVATE)
    places.decided.change(explain, places.decided, final, **MODEL_QUEUE, **PRIVATE)
    pause_when_hidden(page, places.timer)


def _lay_out() -> tuple[LearnOutputs, gr.HTML]:
    with gr.Row(elem_classes="pl-learn-bar"):
        study = gr.Dropdown([], label="Study", scale=3, min_width=200, elem_id="learn-study-choice")
        trial = gr.Dropdown([], label="Trial", scale=4, min_width=200, elem_id="learn-trial")
    steering = RunControls("learn")
    head = html_panel(name="learn-head")
    curves = html_panel(name="learn-curves")
    step = gr.Slider(
        0, 1, 0, step=1, label="Step: move it to look back", visible=False, elem_id="learn-step"
    )
    moment = html_panel(name="learn-moment")
    final = html_panel(name="learn-final")
    strip = html_panel(name="learn-strip")
    decided, timer = gr.State(""), gr.Timer(_LATER, active=False)
    places = LearnOutputs(
        study, trial, steering, head, curves, step, moment, strip, decided, timer,
        gr.State(LearnSession()), receipt_box(),
    )  # fmt: skip
    return places, final


def _slider(sight: LearningView) -> Any:
    return gr.Slider(
        minimum=0,
        maximum=max(sight.last, 1),
        value=sight.step or 0,
        visible=sight.last > 0,
    )


@html_or_error
def explanation_html(context: AppContext, name: str) -> str:
    """What a decided study has learned, in the end; nothing for any other one."""
    if not name:
        return ""
    folder = context.study_folder(name)
    board = pl.Study(folder).leaderboard()
    model = context.load_model(str(board["model"]["name"]))
    return str(result.result_html(result.explain_result(folder, model), board))
