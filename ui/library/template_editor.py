"""The editor's boxes: a template of one's own is written, checked as it is typed, and saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.library import tasks

from ..components.html import html_panel
from ..components.listeners import on_latest
from . import template_draft, template_view
from .template_draft import PART_NAMES, PARTS, TEXT, TemplateDraft

_HINTS = {
    "description": "What is to be done.",
    "context": "What is known besides.",
    "input": "The example's own text: Review: {text}",
    "cue": "Where the answer belongs: Sentiment: {mask}",
}


@dataclass(frozen=True)
class TemplateEditor:
    """``boxes`` are in the order of `TemplateDraft`, ``replacing`` is one's own as it was."""

    column: gr.Column
    boxes: Sequence[Any]
    replacing: gr.State
    save: gr.Button
    close: gr.Button
    checked: gr.HTML

    def opened(self, first: TemplateDraft, replacing: TemplateDraft | None = None) -> list[Any]:
        """New values of ``column``, ``replacing``, ``boxes`` and ``checked``."""
        return [
            gr.Column(visible=True),
            replacing,
            *first.values(),
            str(template_draft.draft_html(first, replacing)),
        ]

    @property
    def outputs(self) -> list[Any]:
        """What `opened` has values for."""
        return [self.column, self.replacing, *self.boxes, self.checked]


def save_draft(values: Sequence[Any], replacing: TemplateDraft | None) -> str:
    """Save a draft; one that is edited under another name is renamed. Raises `InputError`.

    What another window has made of it meanwhile is not written over.
    """
    made = TemplateDraft(*(value or "" for value in values))
    if replacing is None:
        pl.TemplateLibrary().save(made.full_name, made.entry())
        return made.full_name
    if template_draft.template_draft(template_view.find_template(replacing.full_name)) != replacing:
        raise pl.InputError(
            f"{replacing.full_name} was changed meanwhile, in another window or in its file; save "
            "yours under another name as a new template, or close this and edit it again"
        )
    if made.full_name != replacing.full_name:
        pl.TemplateLibrary().rename(replacing.full_name, made.full_name, made.entry())
    else:
        pl.TemplateLibrary().save(made.full_name, made.entry(), replace=True)
    return made.full_name


def build_template_editor() -> TemplateEditor:
    """Lay the editor out, hidden, and let it check what is typed."""
    with gr.Column(visible=False, elem_id="template-editor") as column:
        boxes = [*_named(), *_written(), *_read()]
        checked = html_panel(name="template-checked")
        with gr.Row():
            close = gr.Button("Close without saving", min_width=140)
            saving = gr.Button("Save to my templates", variant="primary", min_width=140)
    replacing: gr.State = gr.State()
    on_latest(
        [box.change for box in boxes],
        lambda replacing, *values: str(
            template_draft.draft_html(TemplateDraft(*(v or "" for v in values)), replacing)
        ),
        [replacing, *boxes],
        checked,
    )
    return TemplateEditor(column, boxes, replacing, saving, close, checked)


def _named() -> list[Any]:
    """The boxes of its full name."""
    with gr.Row():
        task = gr.Dropdown(
            [task.name for task in tasks()],
            label="Task",
            info="One that is there, or a new one.",
            allow_custom_value=True,
            scale=1,
            min_width=140,
        )
        name = gr.Textbox(
            label="Name",
            info="Small letters, digits, hyphens.",
            scale=1,
            min_width=140,
            elem_id="draft-name",
        )
    return [task, name]


def _written() -> list[Any]:
    """The boxes of its wording: in one text or in named parts."""
    form = gr.Radio([TEXT, PARTS], value=TEXT, label="Written as")
    text = gr.Textbox(
        label="Template",
        info="{field}, {mask} where the answer belongs; or Jinja.",
        lines=3,
        max_lines=14,
        elem_id="draft-text",
        elem_classes="pl-mono",
    )
    with gr.Column(visible=False) as parts:
        pieces = [
            gr.Textbox(
                label=name.capitalize(), info=_HINTS[name], max_lines=8, elem_classes="pl-mono"
            )
            for name in PART_NAMES
        ]
    on_latest(
        form.change,
        lambda form: (gr.Textbox(visible=form == TEXT), gr.Column(visible=form == PARTS)),
        form,
        [text, parts],
    )
    return [form, text, *pieces]


def _read() -> list[Any]:
    """The boxes of how it is read, shown and remembered."""
    settings = gr.Textbox(
        label="Answers, or a parser (YAML)",
        info="answers: {label: [word, word]} – or parser: {type: number}; also separator, "
        "demonstration_separator, chat, aggregation.",
        lines=3,
        max_lines=14,
        elem_classes="pl-mono",
    )
    example = gr.Textbox(
        label="Example", info="name = value, one field a line.", lines=2, max_lines=8
    )
    with gr.Row():
        source = gr.Textbox(label="Source", info="Whose idea it is.", min_width=140)
        note = gr.Textbox(label="Note", info="What to know about it.", min_width=140)
    return [settings, example, source, note]
