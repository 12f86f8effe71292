"""A shipped study is chosen, changed a little and started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.study import shipped_studies

from ...components.html import html_panel
from ...queue.study_queue import StudyQueue

_OWN = "as in the study"


@dataclass(frozen=True)
class StudyForm:
    """The boxes of the form, the button, and where it tells what went wrong."""

    boxes: list[Any]
    button: gr.Button
    told: gr.HTML
    name: gr.Textbox


def build_study_form(models: Sequence[str]) -> StudyForm:
    """Lay the form out."""
    shipped = list(shipped_studies())
    with gr.Accordion("Start a shipped study", open=True, elem_id="study-start-box"):
        which = gr.Dropdown(
            shipped,
            value="quickstart" if "quickstart" in shipped else shipped[0],
            label="Shipped study",
            elem_id="study-shipped",
        )
        model = gr.Dropdown(
            [(_OWN, ""), *((name, name) for name in models)],
            value="",
            label="Model",
            elem_id="study-model",
        )
        with gr.Row():
            trials = gr.Number(
                0, label="At most trials", info="0: as in the study", minimum=0, precision=0,
                min_width=90, elem_id="study-trials",
            )  # fmt: skip
            name = gr.Textbox(
                "", label="Name", info="its own if empty", max_lines=1, max_length=80,
                min_width=110, elem_id="study-name",
            )  # fmt: skip
        button = gr.Button("Start", variant="primary", elem_id="study-start")
        told = html_panel(name="study-start-told")
    return StudyForm([which, model, trials, name], button, told, name)


def start_shipped_study(
    queue: StudyQueue, study: str, model: str = "", trials: float | None = None, name: str = ""
) -> str:
    """Queue a shipped study with these changes; its name. Raises `InputError`."""
    if trials is not None and trials < 0:
        raise pl.InputError("trials: at least one, or 0 for as many as the study has")
    changes: dict[str, Any] = {"model.name": model}
    if trials:
        changes["budget.trials"] = int(trials)
    return queue.submit_shipped(study, name=(name or "").strip() or None, changes=changes)
