"""The section that corrects a failure by hand, and takes a correction back."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.html import error, html_panel, note
from ..components.listeners import PRIVATE, on_latest
from . import failure_query, table
from .components import ACCEPT, OTHER, FailureComponents, failure_named

_GO_ON = """(going, shown, page) => {
  if (!going) return [shown, page];
  const next = JSON.parse(going);
  return shown === next.from ? [next.to, next.page] : [shown, page];
}"""
"""To the next failure, unless another one was picked meanwhile."""


class CorrectionForm:
    """The boxes of a correction, hidden until a failure is shown."""

    def __init__(self) -> None:
        with gr.Column(visible=False, elem_classes="pl-correct") as self.frame:
            self.way = gr.Radio([OTHER, ACCEPT], value=OTHER, label="Correct it by hand")
            with gr.Row():
                self.answer = gr.Dropdown(
                    [], label="Expected answer", allow_custom_value=True, min_width=140
                )
                self.note = gr.Textbox("", label="Note", placeholder="why", min_width=140)
            with gr.Row(elem_classes="pl-tools"):
                self.save = gr.Button(
                    "Save the correction", variant="primary", size="sm", min_width=150
                )
                self.following = gr.Button("Save, next failure", size="sm", min_width=160)
                self.back = gr.Button("Withdraw", size="sm", visible=False, min_width=110)
        on_latest(
            self.way.change, lambda way: gr.Dropdown(interactive=way == OTHER), self.way,
            self.answer,
        )  # fmt: skip

    @property
    def outputs(self) -> list[Any]:
        """What `parts.form_of` has values for."""
        return [self.frame, self.way, self.answer, self.note, self.back]


def correct(found: Any, example_id: str, way: str, answer: str | None, note: str) -> Any:
    """Keep a correction. Raises `InputError` for an empty answer."""
    if way == ACCEPT:
        return found.correct(example_id, accept=True, note=note or "")
    if not (answer or "").strip():
        raise pl.InputError("say which answer is expected, or that the actual one is acceptable")
    return found.correct(example_id, expected=str(answer).strip(), note=note or "", any_answer=True)


def connect_correction(misses: FailureComponents, form: CorrectionForm) -> None:
    """Keep, keep and go on, take back. Whatever shows corrections is drawn anew after each."""
    told = html_panel(name="failure-told")
    going = gr.Textbox("", visible="hidden", label="next")
    said = [misses.subject, form.way, form.answer, form.note]
    outputs = [told, misses.corrected]
    form.save.click(partial(_kept, misses), said, outputs, **PRIVATE)
    form.back.click(partial(_withdrawn, misses), misses.subject, outputs, **PRIVATE)
    form.following.click(
        partial(_kept_with_next, misses), [*said, *misses.question], [*outputs, going], **PRIVATE
    ).then(
        None,
        [going, misses.shown, misses.page],
        [misses.shown, misses.page],
        js=_GO_ON,
        **PRIVATE,
    )


def _kept(misses: FailureComponents, subject: str, way: str, answer: str, note: str) -> list[Any]:
    try:
        study, example_id = failure_named(subject)
        correct(failure_query.open_failure_log(misses.runs, study), example_id, way, answer, note)
    except pl.PromptlabError as problem:
        return [str(error(problem)), gr.skip()]
    return _told(f"The correction of example {example_id} is kept.")


def _kept_with_next(
    misses: FailureComponents, subject: str, way: str, answer: str, note: str, *question: Any
) -> list[Any]:
    """The correction kept; and, as a record, from which failure to which one to go."""
    try:
        study, example_id = failure_named(subject)
        found, failures = misses.asked(*question)
        if question[0][0] != study:
            found = failure_query.open_failure_log(misses.runs, study)
        correct(found, example_id, way, answer, note)
    except pl.PromptlabError as problem:
        return [str(error(problem)), gr.skip(), ""]
    ids = [one.example_id for one in failures]
    later = ids[ids.index(example_id) + 1 :] if example_id in ids else ids
    if not later or question[0][0] != study:
        return [*_told(f"The correction of example {example_id} is kept. It was the last one."), ""]
    left = [
        one.example_id for one in misses.asked(*question)[1]
    ]  # some filters drop corrected ones
    page = left.index(later[0]) // table.SIZE if later[0] in left else 0
    going = json.dumps({"from": example_id, "to": later[0], "page": page})
    return [*_told(f"The correction of example {example_id} is kept."), going]


def _withdrawn(misses: FailureComponents, subject: str) -> list[Any]:
    try:
        study, example_id = failure_named(subject)
        failure_query.open_failure_log(misses.runs, study).withdraw(example_id)
    except pl.PromptlabError as problem:
        return [str(error(problem)), gr.skip()]
    return _told(f"The correction of example {example_id} is taken back.")


def _told(text: str) -> list[Any]:
    return [str(note(text)), time.monotonic_ns()]
