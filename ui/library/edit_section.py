"""The section that writes: one's own templates made, changed and deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import escape

import promptlab as pl

from ..components.html import error, note
from ..components.listeners import PRIVATE
from . import template_draft, template_editor, template_view
from .components import LibraryComponents, changed


def connect_edit(
    shelf: LibraryComponents,
    edit: template_editor.TemplateEditor,
    column: gr.Column,
    new: gr.Button,
) -> None:
    """Open, save and close the editor in the place of ``column``; delete one's own."""

    def begin(
        first: template_draft.TemplateDraft, replacing: template_draft.TemplateDraft | None = None
    ) -> list[Any]:
        return [gr.Column(visible=False), *edit.opened(first, replacing)]

    def change(name: str) -> list[Any]:
        item = template_view.find_template(name)
        first = template_draft.template_draft(item)
        return begin(first, first if item.is_own else None)

    def save(
        replacing: template_draft.TemplateDraft | None, changes: float, *values: Any
    ) -> list[Any]:
        try:
            name = template_editor.save_draft(values, replacing)
        except pl.PromptlabError as problem:
            return [str(error(problem)), *[gr.skip()] * (3 + len(shelf.outputs))]
        kept = str(note(f"{name} is saved among your templates."))
        return ["", kept, gr.Column(visible=False), gr.Column(visible=True),
                *changed(name, changes)]  # fmt: skip

    opened = [column, *edit.outputs]
    shelf.view.edit.click(_safely(change, len(opened)), shelf.shown, opened, **PRIVATE)
    shelf.view.copy.click(
        _safely(
            lambda name: begin(template_draft.copy_template(template_view.find_template(name))),
            len(opened),
        ),
        shelf.shown,
        opened,
        **PRIVATE,
    )
    new.click(lambda: begin(template_draft.starting_draft()), None, opened, **PRIVATE)
    edit.close.click(
        lambda: (gr.Column(visible=False), gr.Column(visible=True)),
        None,
        [edit.column, column],
        **PRIVATE,
    )
    edit.save.click(
        save,
        [edit.replacing, shelf.changes, *edit.boxes],
        [edit.checked, shelf.told, edit.column, column, *shelf.outputs],
        **PRIVATE,
    )
    # a template that is chosen while one is written is shown above what is written
    shelf.found.click(lambda: gr.Column(visible=True), None, column, **PRIVATE)
    _deletion(shelf)


def _safely(opening: Any, count: int) -> Any:
    """A template that is gone meanwhile opens nothing."""

    def opened(name: str) -> list[Any]:
        try:
            values: list[Any] = opening(name)
        except pl.PromptlabError as problem:
            gr.Warning(escape(str(problem)))  # a toast shows markup
            return [gr.skip()] * count
        return values

    return opened


def _deletion(shelf: LibraryComponents) -> None:
    view, asked = shelf.view, gr.State("")  # what is deleted is what the question named

    def ask(name: str) -> list[Any]:
        return [name, gr.Row(visible=True), gr.Button(f"Yes, delete {name}")]

    def delete(name: str, changes: float) -> list[Any]:
        try:
            pl.TemplateLibrary().delete(name)
        except pl.PromptlabError as problem:
            return [str(error(problem)), *[gr.skip()] * len(shelf.outputs)]
        first = pl.templates()[0].full_name
        return [str(note(f"{name} is deleted.")), *changed(first, changes)]

    view.delete.click(ask, shelf.shown, [asked, view.confirm, view.sure], **PRIVATE)
    view.keep.click(lambda: gr.Row(visible=False), None, view.confirm, **PRIVATE)
    view.sure.click(delete, [asked, shelf.changes], [shelf.told, *shelf.outputs], **PRIVATE)
