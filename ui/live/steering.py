"""The buttons of a study: pause, resume, cancel; cancelling is asked about first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..drawing import note, panel
from .view import Sight

_PAUSED_BY = ("running",)
_RESUMED_BY = ("paused", "pausing", "interrupted", "stopped", "failed")
_CANCELLED_BY = ("running", "pausing", "paused", "queued", "failed")


@dataclass(frozen=True)
class Buttons:
    """The row of buttons, and the question that *Cancel* asks."""

    pause: gr.Button
    resume: gr.Button
    cancel: gr.Button
    told: gr.HTML
    asked: gr.Group
    question: gr.HTML
    yes: gr.Button
    no: gr.Button

    @property
    def steering(self) -> list[gr.Button]:
        """Those whose state follows the study's."""
        return [self.pause, self.resume, self.cancel]


def buttons() -> Buttons:
    """Lay them out."""
    with gr.Row(elem_classes=["pl-study-buttons", "pl-study-row"]):
        pause = gr.Button(
            "Pause", size="md", min_width=90, interactive=False, elem_id="study-pause"
        )
        resume = gr.Button(
            "Resume", size="md", min_width=90, interactive=False, elem_id="study-resume"
        )
        cancel = gr.Button(
            "Cancel …", size="md", min_width=90, interactive=False, elem_id="study-cancel"
        )
    told = panel(name="study-steering-told")
    with gr.Group(visible=False, elem_classes="pl-study-asked") as asked:
        question = panel()
        with gr.Row():
            yes = gr.Button(
                "Yes, stop it", variant="stop", size="md", min_width=120, elem_id="study-cancel-yes"
            )
            no = gr.Button("No, let it be", size="md", min_width=120, elem_id="study-cancel-no")
    return Buttons(pause, resume, cancel, told, asked, question, yes, no)


def makes_sense(sight: Sight) -> tuple[bool, bool, bool]:
    """Whether the chosen study can be paused, resumed and cancelled."""
    state = sight.state
    begun = bool(sight.found and "folder" in sight.found)
    return (
        state in _PAUSED_BY,
        state in _RESUMED_BY,
        state in _CANCELLED_BY and not (state == "failed" and begun),
    )


def question(sight: Sight) -> str:
    """What cancelling would mean for the chosen study."""
    found: Any = sight.found or {}
    if sight.state == "queued":
        return str(note(f"Take {sight.chosen} out of the queue?"))
    if sight.state == "failed":
        return str(note(f"Forget {sight.chosen}, which has failed before it began?"))
    return str(
        note(
            f"Stop {sight.chosen} at the end of its block? What is finished is kept "
            f"({found.get('finished', 0)} of {found.get('planned', 0)}), and Resume goes on with "
            "the rest at any time."
        )
    )
