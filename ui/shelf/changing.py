"""The section that writes: one's own templates made, changed and deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import escape

import promptlab as pl

from ..drawing import error, note
from ..listening import QUIET
from . import draft, editor, leaf
from .parts import Shelf, changed


def connect(shelf: Shelf, edit: editor.Editor, column: gr.Column, new: gr.Button) -> None:
    """Open, save and close the editor in the place of ``column``; delete one's own."""

    def begin(first: draft.Draft, replacing: str = "") -> list[Any]:
        return [gr.Column(visible=False), *edit.opened(first, replacing)]

    def change(name: str) -> list[Any]:
        item = leaf.find(name)
        return begin(draft.drafted(item), name if item.own else "")

    def save(replacing: str, *values: Any) -> list[Any]:
        boxes, filters = values[: len(edit.boxes)], values[len(edit.boxes) :]
        try:
            name = editor.save(boxes, replacing)
        except pl.PromptlabError as problem:
            return [str(error(problem)), *[gr.skip()] * (3 + len(shelf.outputs))]
        kept = str(note(f"{name} is saved among your templates."))
        return ["", kept, gr.Column(visible=False), gr.Column(visible=True),
                *changed(name, *filters)]  # fmt: skip

    opened = [column, *edit.outputs]
    shelf.view.edit.click(_safely(change, len(opened)), shelf.shown, opened, **QUIET)
    shelf.view.copy.click(
        _safely(lambda name: begin(draft.copied(leaf.find(name))), len(opened)),
        shelf.shown,
        opened,
        **QUIET,
    )
    new.click(lambda: begin(draft.started()), None, opened, **QUIET)
    edit.close.click(
        lambda: (gr.Column(visible=False), gr.Column(visible=True)),
        None,
        [edit.column, column],
        **QUIET,
    )
    edit.save.click(
        save,
        [edit.replacing, *edit.boxes, *shelf.filters],
        [edit.checked, shelf.told, edit.column, column, *shelf.outputs],
        **QUIET,
    )
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


def _deletion(shelf: Shelf) -> None:
    view = shelf.view

    def delete(name: str, *filters: Any) -> list[Any]:
        try:
            pl.Library().delete(name)
        except pl.PromptlabError as problem:
            return [str(error(problem)), *[gr.skip()] * len(shelf.outputs)]
        first = pl.templates()[0].full_name
        return [str(note(f"{name} is deleted.")), *changed(first, *filters)]

    view.delete.click(lambda: gr.Row(visible=True), None, view.confirm, **QUIET)
    view.keep.click(lambda: gr.Row(visible=False), None, view.confirm, **QUIET)
    view.sure.click(delete, [shelf.shown, *shelf.filters], [shelf.told, *shelf.outputs], **QUIET)
