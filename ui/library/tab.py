"""The tab *Library*: browse, search, render, edit, save, import and export templates."""

from __future__ import annotations

from typing import Any

import gradio as gr

import promptlab as pl

from ..components.html import html_panel
from ..components.listeners import PRIVATE, on_latest
from ..components.pick_list import build_pick_list, keep_page, keep_place
from ..context import AppContext
from . import edit_section, endpoints, exchange_section, template_editor, template_list
from .components import (
    LibraryComponents,
    TemplateView,
    list_templates,
    look_up_template,
    render_prompt,
)


def build_library_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out and connect it."""
    first = pl.templates()[0]
    filters = _search()
    with gr.Row(elem_classes="pl-library"):
        with gr.Column(scale=5, min_width=320):
            with gr.Row(elem_classes="pl-tools"):
                new = gr.Button("New template", size="sm", min_width=110)
                give = gr.Button("Export these", size="sm", min_width=110)
                bring = gr.UploadButton(
                    "Import YAML", file_types=[".yaml", ".yml"], size="sm", min_width=110
                )
            replace = gr.Checkbox(
                label="An import may replace templates of mine", elem_classes="pl-plain"
            )
            told = html_panel(name="library-told")
            drawn = template_list.template_list_html(
                template_list.find_templates(), 0, first.full_name
            )
            found = build_pick_list(str(drawn), "library-result")
            shown, turned = keep_place(found, "library-result"), keep_page(found, "library-result")
            shown.value = first.full_name
            changes = gr.Number(0, visible="hidden", precision=0, label="changes")
        with gr.Column(scale=6, min_width=320, elem_id="template-shown"):
            with gr.Column() as column:
                view = TemplateView(first)
            edit = template_editor.build_template_editor()
    shelf = LibraryComponents(filters, found, turned, shown, changes, view, told)
    _browse(page, shelf)
    _use(app, shelf)
    edit_section.connect_edit(shelf, edit, column, new)
    exchange_section.connect_exchange(context.download_path, shelf, give, bring, replace)
    endpoints.add_library_endpoints()


def _search() -> list[Any]:
    with gr.Row(elem_classes="pl-library-search"):
        words = gr.Textbox(
            "",
            label="Search",
            placeholder="words in the name, text, answers, source or note",
            scale=5,
            min_width=240,
        )
        task = gr.Dropdown(
            template_list.task_choices(),
            value=template_list.ALL,
            label="Task",
            scale=3,
            min_width=180,
        )
        shape = gr.Dropdown(
            template_list.SHAPES, value="all", label="Shape", scale=2, min_width=120
        )
        whose = gr.Dropdown(template_list.WHOSE, value="all", label="Whose", scale=2, min_width=120)
    return [words, task, shape, whose]


def _browse(page: gr.Tab, shelf: LibraryComponents) -> None:
    """Search as one types, turn pages, choose one, render it with other fields.

    One listener for every place: it draws from what is asked, whatever it was that changed.
    """
    view = shelf.view
    asked = [box.change for box in shelf.filters]
    gr.on(asked, None, None, shelf.page, js="() => 0", **PRIVATE)
    on_latest(
        [*asked, shelf.page.change, shelf.shown.change, shelf.changes.change, page.select],
        list_templates,
        [*shelf.filters, shelf.shown, shelf.page],
        shelf.found,
    )
    on_latest(
        [shelf.shown.change, shelf.changes.change], look_up_template, shelf.shown, view.outputs
    )
    on_latest(
        [view.name.change, view.fields.change, shelf.changes.change],
        render_prompt,
        [view.name, view.fields],
        view.prompt,
    )
    on_latest(
        [shelf.changes.change, page.select],
        lambda: gr.Dropdown(template_list.task_choices()),
        None,
        shelf.filters[1],
    )
    shelf.found.click(None, None, shelf.told, js="() => ''", **PRIVATE)


def _use(app: gr.Blocks, shelf: LibraryComponents) -> None:
    """Open the playground with the template that is shown, where the page has a playground."""
    named = {block.elem_id: block for block in app.blocks.values() if block.elem_id}
    if not {"prompt-start", "play", "tabs"} <= set(named):
        return
    shelf.view.use.visible = True

    def opened(name: str) -> list[Any]:
        names = [item.full_name for item in pl.templates()]
        return [
            gr.Dropdown(names, value=name),
            gr.Tabs(selected="prompt"),
            gr.Tabs(selected="playground"),
        ]

    boxes = [named["prompt-start"], named["play"], named["tabs"]]
    shelf.view.use.click(opened, shelf.shown, boxes, **PRIVATE)
