"""The section *Add a prompt*: one more for the list, of the library or one's own."""

from __future__ import annotations

from typing import Any

import gradio as gr

import promptlab as pl

from ..components.html import error, html_panel
from ..components.listeners import on_latest
from ..components.text_fields import format_answers
from . import prompts as known
from .comparison_sheet import open_comparison_task


def build_add_prompt_section(
    listed: gr.State, ticked: gr.CheckboxGroup, source: tuple[Any, ...]
) -> None:
    """Lay the form out and connect it; ``source`` are the boxes that name the data."""
    name = gr.Dropdown(known.usable_templates(), value=None, label="Start from the library")
    template = gr.Textbox(
        label="Template", lines=2, max_lines=8, placeholder="{text} It was {mask}"
    )
    answers = gr.Textbox(
        label="Answers", info="label: answer, answer – one label a line.", lines=2, max_lines=8
    )
    with gr.Row():
        calibration = gr.Dropdown(
            known.CALIBRATIONS, value="none", label="Calibration", min_width=180
        )
        shown = gr.Number(
            0,
            label="Demonstrations",
            minimum=0,
            maximum=known.MOST_DEMONSTRATIONS,
            precision=0,
            min_width=120,
        )
    button = gr.Button("Add to the list", size="md", elem_id="compare-add-button")
    complaint = html_panel()
    form: list[Any] = [name, template, answers, calibration, shown]
    on_latest(name.input, _pick, name, [template, answers])
    on_latest(
        [box.input if isinstance(box, gr.Dropdown) else box.change for box in source],
        _fit,
        list(source),
        [name, answers],
    )
    button.click(
        _add, [listed, ticked, *form], [listed, ticked, complaint], api_visibility="private"
    )


def _pick(name: str | None) -> tuple[str, str]:
    """Template and answers of the library."""
    library = {item.full_name: item for item in pl.templates()}
    if name not in library:
        return "", ""
    item = library[name]
    answers = format_answers(item.verbalizer) if item.answers is not None else ""
    return item.template.source, answers


def _fit(*data: Any) -> tuple[Any, Any]:
    """The templates that suit the data, and its labels."""
    try:
        task = open_comparison_task(*data)
    except pl.PromptlabError:
        return gr.skip(), gr.skip()  # told when the grid is run
    words = "\n".join(f"{label}: {label}" for label in task.labels)
    return gr.Dropdown(known.fitting_templates(task)), gr.Textbox(placeholder=words)


def _add(
    prompts: list[known.ListedPrompt], ticks: list[str], library: str | None, *form: Any
) -> tuple[Any, Any, str]:
    try:
        more = known.list_prompt(library or "", *form)
    except pl.PromptlabError as problem:
        return gr.skip(), gr.skip(), str(error(problem))
    prompts = [*prompts, more]
    names = known.number_prompts(prompts)
    return prompts, gr.CheckboxGroup(names, value=[*ticks, names[-1]]), ""
