"""What the sections of the library share: the search, the list found, the template shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import html_or_error
from ..components.html import error, html_panel
from . import template_list, template_view


class TemplateView:
    """The components that show one template, and what can be done with it."""

    def __init__(self, item: Any) -> None:
        values = show_template(item)
        self.name = gr.Textbox(item.full_name, visible="hidden", label="drawn")
        self.head = html_panel(values[1], "template-head")
        self.prompt = html_panel(
            str(template_view.rendered_html(item.template, item.example)), "template-prompt"
        )
        self.fields = gr.Textbox(
            values[2],
            label="Rendered with",
            info="name = value, one field a line. Change it and see.",
            lines=1,
            max_lines=8,
            elem_id="template-fields",
        )
        with gr.Row(elem_classes="pl-tools"):
            self.use = gr.Button(
                "Try in the playground", variant="primary", size="sm", min_width=160, visible=False
            )
            self.edit = gr.Button("Edit", size="sm", visible=item.is_own, min_width=90)
            self.copy = gr.Button("Edit a copy", size="sm", min_width=110)
            self.give = gr.Button("Export", size="sm", min_width=90)
            self.delete = gr.Button("Delete", size="sm", visible=item.is_own, min_width=90)
        with gr.Row(visible=False, elem_classes="pl-tools") as self.confirm:
            self.sure = gr.Button("Yes, delete it", size="sm", variant="stop", min_width=110)
            self.keep = gr.Button("Keep it", size="sm", min_width=90)
        self.facts = html_panel(values[3], "template-facts")

    @property
    def outputs(self) -> list[Any]:
        """What `show_template` has values for."""
        owned = [self.edit, self.delete, self.confirm]
        return [self.name, self.head, self.fields, self.facts, *owned]


@dataclass(frozen=True)
class LibraryComponents:
    """Components; their values are one window's own.

    ``filters`` are the arguments of `rows.find_templates`, ``page`` the page of what they find,
    ``shown`` the full name of the template that was chosen; ``told`` says what came of an import
    or a deletion. The rest is drawn from these, and anew whenever ``changes`` counts another
    change of the library.
    """

    filters: Sequence[Any]
    found: gr.HTML
    page: gr.Number
    shown: gr.Textbox
    changes: gr.Number
    view: TemplateView
    told: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What `changed` has values for."""
        return [self.shown, self.changes]


def changed(name: str, changes: float) -> list[Any]:
    """The library has changed, and ``name`` is to be shown."""
    return [name, changes + 1]


@html_or_error
def list_templates(
    words: str, task: str, shape: str, whose: str, shown: str, page: float = 0
) -> str:
    """The list found, or what is wrong with the question."""
    return str(
        template_list.template_list_html(
            template_list.find_templates(words, task, shape, whose), int(page or 0), shown
        )
    )


def show_template(item: Any) -> list[Any]:
    """The values of a view; its prompt is made from the name and the fields by `render_prompt`."""
    return [
        item.full_name,
        str(template_view.template_header(item)),
        template_view.example_fields(item.template, item.example),
        str(template_view.template_facts(item)),
        gr.Button(visible=item.is_own),
        gr.Button(visible=item.is_own),
        gr.Row(visible=False),
    ]


def look_up_template(name: str) -> list[Any]:
    """The values of a view for a name that may have gone meanwhile."""
    try:
        return show_template(template_view.find_template(name))
    except pl.PromptlabError as problem:
        hidden = gr.Button(visible=False)
        return [name, str(error(problem)), "", "", hidden, hidden, gr.Row(visible=False)]


@html_or_error
def render_prompt(name: str, fields: str) -> str:
    """The template of a name, rendered with ``name = value`` lines."""
    try:
        item = template_view.find_template(name)
    except pl.PromptlabError:
        return ""  # the head says so
    return str(template_view.rendered_text(item.template, fields))
