"""The section *Edit answers*: other answer words for a column, scored as they are typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from ..drawing import error, note, panel
from ..forms import LONGEST, read_answers, shown_answers
from ..listening import AT_MODEL, QUIET
from . import edited
from .prompts import CALIBRATIONS
from .sheet import Sheet

HINT = (
    "Run the grid, then choose one of its columns: its answers and its calibration can be changed "
    "here, and every figure follows as you type. Nothing is run again: the vectors at the slots "
    "are kept."
)


@dataclass(eq=False)
class Editing:
    """A column under the pen; ``shown`` is the last drawing."""

    sheet: Sheet
    letter: str
    rescorer: pl.Rescorer
    shown: str = ""


def begin(sheet: Sheet, column: str) -> Editing:
    """Read the slots of a column's prompts once. Raises `InputError` for one without answers."""
    head = sheet.head(column)
    predictor = sheet.grid.predictors.get(head.letter)
    if head.letter not in sheet.complete() or predictor is None:
        raise pl.InputError(f"column {head.letter} is not filled to the end")
    if not isinstance(predictor, pl.PromptClassifier):
        raise pl.InputError(f"column {head.letter} writes its replies: it has no answer words")
    rescorer = pl.Rescorer(predictor, sheet.examples, train=sheet.task.train)
    return Editing(sheet, head.letter, rescorer)


def change(editing: Editing, answers: str, calibration: str, *, ask: bool = False) -> str:
    """The figures with these answers; where the model has to be asked, that is told instead.

    Raises `InputError` for answers that cannot be read or scored.
    """
    if len(answers) > LONGEST:
        raise pl.InputError(f"answers have at most {LONGEST:,} characters here")
    words = verbalizer(editing, answers)
    name: Any = calibration  # the rescorer checks it
    waiting = () if ask else editing.rescorer.unread(words, name)
    if waiting:
        told = _waiting(waiting, len(words.answers))
        return f'{told}<div class="pl-compare-old">{editing.shown}</div>'
    found = editing.rescorer.predict(words, name)
    editing.shown = str(edited.draw(editing.sheet, editing.rescorer.base, found, editing.letter))
    return editing.shown


def verbalizer(editing: Editing, answers: str) -> pl.Verbalizer:
    """The box's answers; weights and aggregation stay those of the column."""
    own = editing.rescorer.classifier.verbalizer
    known: dict[str, float] = dict(zip(own.answers, own.weights, strict=True))
    weighted = {
        label: {word: known.get(word, 1.0) for word in words}
        for label, words in read_answers(answers).items()
    }
    return pl.Verbalizer(
        weighted, aggregation=own.aggregation, length_normalise=own.length_normalise
    )


def _waiting(answers: tuple[str, ...], of: int) -> Markup:
    if len(answers) == of and of > 1:
        told = "The prompts themselves change with this, so the model has to read them"
    else:
        several = "they are no single token at" if len(answers) > 1 else "it is no single token at"
        told = f"{', '.join(answers)}: {several} the slot, so the model has to be asked"
    return Markup('<p class="pl-compare-asks" role="status">{}</p>').format(
        f"{told} (below: the last answers that were scored)."
    )


def section(sheet: gr.State, page: gr.Tab) -> gr.Dropdown:
    """Lay the section out on its tab and connect it. Returns the box that names the column."""
    editing = gr.State(None)

    def start(sheet: Sheet | None, column: str | None) -> tuple[Any, ...]:
        if sheet is None or not column:
            return None, "", "none", str(note(HINT)), ""
        try:
            begun = begin(sheet, column)
        except pl.PromptlabError as problem:
            return None, "", "none", str(error(problem)), ""
        own = begun.rescorer.classifier
        answers = shown_answers(own.verbalizer)
        drawn = str(change(begun, answers, own.calibration, ask=True))
        return begun, answers, own.calibration, drawn, yaml_of(begun, answers, own.calibration)

    def opened(editing: Editing | None, sheet: Sheet | None, column: str | None) -> tuple[Any, ...]:
        if editing is not None and editing.sheet is sheet:
            return tuple(gr.skip() for _ in range(5))  # what was typed stays
        return start(sheet, column)

    def retype(
        editing: Editing | None, answers: str, calibration: str, ask: bool = False
    ) -> tuple[str, str]:
        if editing is None:
            return str(note(HINT)), ""
        try:
            drawn = str(change(editing, answers, calibration, ask=ask))
        except pl.PromptlabError as problem:
            return f'{error(problem)}<div class="pl-compare-old">{editing.shown}</div>', ""
        return drawn, yaml_of(editing, answers, calibration)

    def asked(editing: Editing | None, answers: str, calibration: str) -> tuple[str, str]:
        return retype(editing, answers, calibration, ask=True)

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
            result = panel(str(note(HINT)), name="edit-result")
    begun = [editing, answers, calibration, result, entry]
    opening: dict[str, Any] = {"api_visibility": "private", "show_progress_on": result} | AT_MODEL
    gr.on([column.input, back.click], start, [sheet, column], begun, **opening)
    page.select(opened, [editing, sheet, column], begun, **opening)
    typed = [editing, answers, calibration]
    gr.on(
        [answers.input, calibration.input],
        retype,
        typed,
        [result, entry],
        queue=False,
        trigger_mode="always_last",
        **QUIET,
    )
    gr.on(
        [ask.click, answers.submit],
        asked,
        typed,
        [result, entry],
        api_visibility="private",
        show_progress_on=result,
        **AT_MODEL,
    )
    return column


def yaml_of(editing: Editing, answers: str, calibration: str) -> str:
    """The edited prompt as YAML."""
    prompt = editing.sheet.head(editing.letter).prompt
    return edited.as_yaml(prompt, read_answers(answers), calibration)
