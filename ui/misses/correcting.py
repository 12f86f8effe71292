"""The section that corrects a failure by hand, and takes a correction back."""

from __future__ import annotations

from typing import Any

import gradio as gr

import promptlab as pl

from ..drawing import error, note, panel
from ..listening import QUIET
from . import log, table
from .parts import ACCEPT, OTHER, Misses


class Form:
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
                    "Keep the correction", variant="primary", size="sm", min_width=150
                )
                self.following = gr.Button("Keep it, show the next", size="sm", min_width=160)
                self.back = gr.Button("Take it back", size="sm", visible=False, min_width=110)
        self.way.change(
            lambda way: gr.Dropdown(interactive=way == OTHER), self.way, self.answer, **QUIET
        )

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
    return found.correct(example_id, expected=str(answer).strip(), note=note or "")


def connect(misses: Misses, form: Form) -> None:
    """Keep, keep and go on, take back; the table and the tally follow."""
    told = panel(name="failure-told")

    def after(study: str, example_id: str, text: str, *question: Any) -> list[Any]:
        failures = log.opened(misses.bench, study).failures
        return [
            str(note(text)),
            *misses.detailed(study, example_id),
            str(table.summary(failures)),
            misses.listed(study, *question, example_id, _page(misses, study, question, example_id)),
        ]

    def kept(shown: str, way: str, answer: str, note: str, study: str, *question: Any) -> list[Any]:
        try:
            correct(log.opened(misses.bench, study), shown, way, answer, note)
        except pl.PromptlabError as problem:
            return _only_told(problem)
        return after(study, shown, f"The correction of example {shown} is kept.", *question)

    def gone_on(
        shown: str, way: str, answer: str, note: str, study: str, *question: Any
    ) -> list[Any]:
        try:
            ids = [one.example_id for one in misses.asked(study, *question)[1]]
            correct(log.opened(misses.bench, study), shown, way, answer, note)
        except pl.PromptlabError as problem:
            return _only_told(problem)
        later = ids[ids.index(shown) + 1 :] if shown in ids else ids
        text = f"The correction of example {shown} is kept."
        text += "" if later else " It was the last one."
        return after(study, later[0] if later else shown, text, *question)

    def withdrawn(shown: str, study: str, *question: Any) -> list[Any]:
        try:
            log.opened(misses.bench, study).withdraw(shown)
        except pl.PromptlabError as problem:
            return _only_told(problem)
        return after(study, shown, f"The correction of example {shown} is taken back.", *question)

    def _only_told(problem: Exception) -> list[Any]:
        return [str(error(problem)), *[gr.skip()] * (len(outputs) - 1)]

    outputs = [told, *misses.one, misses.summary, misses.rows]
    said = [misses.shown, form.way, form.answer, form.note, *misses.question]
    form.save.click(kept, said, outputs, **QUIET)
    form.following.click(gone_on, said, outputs, **QUIET)
    form.back.click(withdrawn, [misses.shown, *misses.question], outputs, **QUIET)


def _page(misses: Misses, study: str, question: tuple[Any, ...], example_id: str) -> int:
    """The page that a failure stands on, or the first one."""
    ids = [one.example_id for one in misses.asked(study, *question)[1]]
    return ids.index(example_id) // table.SIZE if example_id in ids else 0
