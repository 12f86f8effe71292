"""Watching: curves of all trials, the words of one, step by step, back and forth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..drawing import error, note, panel
from ..listening import AT_MODEL, QUIET, rest_elsewhere
from ..live.view import Seen
from ..telling import drawn_or_told
from ..workbench import Workbench
from . import result
from .sight import Sight
from .start import StartForm, begin

_SECONDS = 1.0
"""Between two looks at what learns."""


@dataclass
class Watched(Seen):
    """What one window was sent, and what its user has picked; the rest follows what is new."""

    study: str | None = None
    trial: int | None = None
    step: int | None = None

    @property
    def anything(self) -> bool:
        """Whether a study was there to be shown."""
        return bool((self.sent.get("study") or [None, None])[1])


@dataclass(frozen=True)
class Places:
    """The widgets, in the order in which `look` fills them."""

    study: gr.Dropdown
    trial: gr.Dropdown
    head: gr.HTML
    curves: gr.HTML
    step: gr.Slider
    moment: gr.HTML
    strip: gr.HTML
    pause: gr.Button
    resume: gr.Button
    cancel: gr.Button
    decided: gr.State
    timer: gr.Timer
    seen: gr.State

    @property
    def outputs(self) -> list[Any]:
        """All of them."""
        return list(vars(self).values())


def section(bench: Workbench, page: gr.Tab, start: StartForm, box: gr.Accordion) -> None:
    """Lay the section out and connect it with the form above it, in its ``box``."""
    places, told, final = _lay_out()
    look = _looker(bench)

    def picked(key: str) -> Callable[..., list[Any]]:
        """Keep what was picked; another study or trial begins with its own last step."""

        def pick(value: Any, seen: Watched) -> list[Any]:
            setattr(seen, key, value)
            if key != "step":
                seen.step = None
            if key == "study":
                seen.trial = None
            return look(seen)

        return pick

    def act(action: Callable[[str], None]) -> Callable[..., list[Any]]:
        def acted(study: str | None, seen: Watched) -> list[Any]:
            problem = ""
            try:
                if study is not None:
                    action(study)
            except pl.PromptlabError as raised:
                problem = str(error(raised))
            return [problem, *look(seen)]

        return acted

    def started(seen: Watched, *values: Any) -> list[Any]:
        try:
            name = begin(bench, *values)
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip(), *[gr.skip()] * len(places.outputs)]
        seen.study, seen.trial, seen.step = name, None, None
        told = note(f"{name} is queued; it goes on when this page is closed.")
        return [str(told), gr.Accordion(open=False), *look(seen)]

    def opened(seen: Watched) -> list[Any]:
        """The form is folded, once, when there is something to be seen."""
        seen.sent.pop("timer", None)
        found = look(seen)
        fold = seen.new("folded", True, gr.Accordion(open=False)) if seen.anything else gr.skip()
        return [fold, *found]

    def explain(name: str) -> str:
        return explanation(bench, name)

    jobs, seen, outputs = bench.jobs, places.seen, places.outputs
    places.timer.tick(look, seen, outputs, **QUIET)
    page.select(opened, seen, [box, *outputs], **QUIET)
    for key in ("study", "trial"):
        widget = getattr(places, key)
        widget.input(picked(key), [widget, seen], outputs, **QUIET)
    places.step.input(
        picked("step"), [places.step, seen], outputs, trigger_mode="always_last", **QUIET
    )
    for action in ("pause", "resume", "cancel"):
        button = getattr(places, action)
        button.click(act(getattr(jobs, action)), [places.study, seen], [told, *outputs], **QUIET)
    start.button.click(started, [seen, *start.boxes], [start.told, box, *outputs], **QUIET)
    places.decided.change(explain, places.decided, final, **AT_MODEL, **QUIET)
    rest_elsewhere(page, places.timer)


def _lay_out() -> tuple[Places, gr.HTML, gr.HTML]:
    with gr.Row(elem_classes="pl-learn-bar"):
        study = gr.Dropdown([], label="Study", scale=3, min_width=200, elem_id="learn-study-choice")
        trial = gr.Dropdown([], label="Trial", scale=4, min_width=200, elem_id="learn-trial")
        pause, resume, cancel = (
            gr.Button(
                name, scale=0, min_width=90, size="md", interactive=False,
                elem_id=f"learn-{name.lower()}",
            )
            for name in ("Pause", "Resume", "Cancel")
        )  # fmt: skip
    head, told = panel(name="learn-head"), panel(name="learn-acted")
    curves = panel(name="learn-curves")
    step = gr.Slider(
        0, 1, 0, step=1, label="Step: move it to look back", visible=False, elem_id="learn-step"
    )
    moment = panel(name="learn-moment")
    final = panel(name="learn-final")
    strip = panel(name="learn-strip")
    decided, timer = gr.State(""), gr.Timer(_SECONDS, active=False)
    seen = gr.State(Watched())
    places = Places(
        study, trial, head, curves, step, moment, strip, pause, resume, cancel, decided, timer,
        seen,
    )  # fmt: skip
    return places, told, final


def _looker(bench: Workbench) -> Callable[[Watched], list[Any]]:
    def look(seen: Watched) -> list[Any]:
        """What is new, place by place, and nothing else."""
        sight = Sight.of(bench, seen.study, seen.trial, seen.step)
        if seen.step is not None and seen.step >= sight.last:
            seen.step = None  # at the end it follows what comes
        moment, strip = sight.words()
        choices = [(title, number) for number, title in sight.titles.items()]
        decided = sight.study if sight.state == "decided" else ""
        slider = (sight.step, sight.last)
        return [
            seen.new(
                "study", (sight.names, sight.study), gr.Dropdown(sight.names, value=sight.study)
            ),
            seen.new("trial", (choices, sight.trial), gr.Dropdown(choices, value=sight.trial)),
            seen.new("head", sight.head()),
            seen.new("curves", sight.curves()),
            seen.new("step", slider, _slider(sight)),
            seen.new("moment", moment),
            seen.new("strip", strip),
            *(
                seen.new(f"can {place}", can, gr.Button(interactive=can))
                for place, can in enumerate(sight.can)
            ),
            seen.new("decided", decided),
            seen.new("timer", sight.active, gr.Timer(active=sight.active)),
            seen,
        ]

    return look


def _slider(sight: Sight) -> Any:
    return gr.Slider(
        minimum=0,
        maximum=max(sight.last, 1),
        value=sight.step or 0,
        visible=sight.last > 0,
    )


@drawn_or_told
def explanation(bench: Workbench, name: str) -> str:
    """What a decided study has learned, in the end; nothing for any other one."""
    if not name:
        return ""
    folder = bench.study(name)
    board = pl.Study(folder).leaderboard()
    model = bench.load(str(board["model"]["name"]))
    return str(result.draw(result.explained(folder, model)))
