"""The section *Edit answers*: other answer words for a column, scored as they are typed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.html import error, html_panel, note
from ..components.listeners import MODEL_QUEUE, PRIVATE, on_latest
from . import answer_edit
from .answer_edit import AnswerEdit
from .comparison_sheet import ComparisonSheet
from .prompts import CALIBRATIONS
from .run import GridRun

HINT = (
    "Run the grid, then choose one of its columns: its answers and its calibration can be changed "
    "here, and every figure follows as you type. Nothing is run again: the vectors at the slots "
    "are kept."
)


@dataclass(frozen=True)
class _Boxes:
    """The section's components."""

    column: gr.Dropdown
    answers: gr.Textbox
    calibration: gr.Radio
    ask: gr.Button
    back: gr.Button
    entry: gr.Textbox
    result: gr.HTML


def build_answer_edit_section(run: GridRun, page: gr.Tab) -> gr.Dropdown:
    """Lay the section out on its tab and connect it. Returns the box that names the column.

    Reading a column and asking the model take long, and write nothing that is drawn: ``editing``
    holds the column, or why it is none, and one quick listener draws from it and the boxes.
    """
    editing, again, asked = gr.State(None), gr.State(0), gr.State(0)
    boxes = _boxes()
    typed = [editing, boxes.answers, boxes.calibration]
    slow: dict[str, Any] = MODEL_QUEUE | {"show_progress": "full", "show_progress_on": boxes.result}
    on_latest(
        [boxes.column.input, page.select, again.change],
        _start,
        [editing, run.sheet, boxes.column],
        typed,
        **slow,
    )
    on_latest([boxes.ask.click, boxes.answers.submit], _ask, typed, asked, **slow)
    run.ended.change(_once_more, editing, again, **PRIVATE)
    boxes.back.click(_undo, editing, [boxes.answers, boxes.calibration], **PRIVATE)
    on_latest(
        [editing.change, asked.change, boxes.answers.change, boxes.calibration.change],
        _show,
        typed,
        [boxes.result, boxes.entry],
        queue=False,
    )
    return boxes.column


def _boxes() -> _Boxes:
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            column = gr.Dropdown([], label="Column", elem_id="edit-column")
            answers = gr.Textbox(
                "",
                label="Answers",
                info="label: answer, answer – one label a line.",
                lines=4,
                elem_id="edit-answers",
            )
            calibration = gr.Radio(CALIBRATIONS, value="none", label="Calibration")
            with gr.Row():
                ask = gr.Button("Ask the model", size="md", elem_id="edit-ask", min_width=130)
                back = gr.Button("Undo edits", size="md", min_width=130)
            with gr.Accordion("As an entry of the template library", open=False):
                entry = gr.Textbox(
                    label="YAML", lines=6, interactive=False, buttons=["copy"], elem_id="edit-yaml"
                )
        with gr.Column(scale=7, min_width=320):
            result = html_panel(str(note(HINT)), name="edit-result")
    return _Boxes(column, answers, calibration, ask, back, entry, result)


def _start(
    editing: AnswerEdit | pl.PromptlabError | None,
    sheet: ComparisonSheet | None,
    column: str | None,
) -> tuple[Any, ...]:
    """The column that is chosen, its slots read; what was typed for it before stays."""
    if sheet is None or not column:
        return None, "", "none"
    try:
        letter = sheet.head(column).letter
        if isinstance(editing, AnswerEdit) and (editing.sheet, editing.letter) == (sheet, letter):
            return gr.skip(), gr.skip(), gr.skip()
        begun = answer_edit.begin_answer_edit(sheet, column)
    except pl.PromptlabError as problem:
        return problem, "", "none"
    return begun, *begun.own


def _once_more(editing: AnswerEdit | pl.PromptlabError | None) -> Any:
    """A column that was refused while the grid was filling is asked for again when it is over."""
    return time.monotonic_ns() if isinstance(editing, pl.PromptlabError) else gr.skip()


def _ask(editing: AnswerEdit | pl.PromptlabError | None, answers: str, calibration: str) -> Any:
    if not isinstance(editing, AnswerEdit):
        return gr.skip()
    answer_edit.score_unread_answers(editing, answers, calibration)
    return time.monotonic_ns()


def _undo(editing: AnswerEdit | pl.PromptlabError | None) -> tuple[Any, Any]:
    return editing.own if isinstance(editing, AnswerEdit) else (gr.skip(), gr.skip())


def _show(
    editing: AnswerEdit | pl.PromptlabError | None, answers: str, calibration: str
) -> tuple[str, str]:
    """The figures, and the edited prompt as YAML."""
    if editing is None:
        return str(note(HINT)), ""
    if isinstance(editing, pl.PromptlabError):
        return str(error(editing)), ""
    try:
        drawn = answer_edit.change_answers(editing, answers, calibration)
        return drawn, answer_edit.yaml_of(editing, answers, calibration)
    except pl.PromptlabError as problem:
        return f'{error(problem)}<div class="pl-compare-old">{editing.shown}</div>', ""
