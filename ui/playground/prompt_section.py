"""The prompt: a template is written or picked, and what the model reads of it is shown as typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import api_endpoint
from ..components.html import error, html_panel, slot_position
from ..components.latest_only import LatestOnly
from ..components.listeners import PRIVATE
from ..components.text_fields import read_fields
from ..context import ModelLoader
from .playground_state import SECTIONS, PlaygroundState
from .prompt_state import (
    MOST_FIELDS,
    START,
    FieldState,
    arrange_fields,
    picked_template,
    typed_fields,
)
from .prompt_view import prompt_source, read_template
from .token_chips import prompt_view_html

_GRAMMAR = (
    "{name} is a field, {mask} the answer slot, {soft:20} learned vectors, {trigger:5} tokens to "
    "search; {{ … }} and {% … %} are Jinja."
)


def prompt_shown(
    model: pl.LanguageModel, template: str, fields: str = "", chat: bool = False
) -> dict[str, Any]:
    """What a model reads: ``prompt``, ``slot``, ``shape``, ``count``, ``window``, ``shortened``.

    ``tokens`` are rows with ``text``, ``id``, ``kind``, ``place`` and ``read``; ``note`` says why
    there are none. Raises `InputError`.
    """
    found = read_template(model, prompt_source(template, chat=chat), read_fields(fields))
    return {
        "prompt": str(found.prompt),
        "slot": slot_position(found.prompt),
        "shape": found.shape,
        "count": found.count,
        "window": found.window,
        "shortened": list(found.shortened),
        "tokens": [asdict(token) for token in found.tokens],
        "note": found.problem,
    }


def build_prompt_section(
    app: gr.Blocks,
    load_model: ModelLoader,
    page: gr.Tab,
    chosen: Sequence[gr.Dropdown],
    tabs: gr.Tabs,
    uses: Sequence[str],
) -> PlaygroundState:
    """Lay the section out; the boxes that the other sections take the prompt from come back."""
    first, held = picked_template(START)
    with gr.Row(elem_classes="pl-play"):
        with gr.Column(scale=4, min_width=320):
            name = gr.Dropdown(
                _names(), value=START, label="Start from the library", elem_id="prompt-start"
            )
            template = gr.Textbox(
                first.source,
                label="Template",
                info=_GRAMMAR,
                lines=3,
                max_lines=14,
                elem_id="prompt-template",
                elem_classes="pl-play-template",
            )
            parts = gr.CheckboxGroup(label="Parts", visible=False, elem_id="prompt-parts")
            with gr.Group(elem_classes="pl-play-fields"):
                boxes = [_field_box(i, held) for i in range(MOST_FIELDS)]
            chat = gr.Checkbox(False, label="Through the model's chat template")
            with gr.Row(elem_classes="pl-play-uses"):
                buttons = {
                    use: gr.Button(f"Use in {SECTIONS[use]}", size="sm", min_width=150)
                    for use in uses
                }
        with gr.Column(scale=7, min_width=320):
            result = html_panel(name="prompt-result")
    kept = gr.JSON(dict(held), visible=False)
    shared = PlaygroundState(chosen, template, chat, kept, boxes, tabs, buttons)
    offered: dict[str, Any] = {"queue": False, **PRIVATE}
    gr.on([app.load, page.select], lambda: gr.Dropdown(choices=_names()), None, name, **offered)
    _arrange(shared, name, parts)
    _show(app, load_model, shared, result)
    _offer(load_model)
    return shared


def _field_box(index: int, held: FieldState) -> gr.Textbox:
    return gr.Textbox(**_field(index, held), lines=1, max_lines=8, elem_classes="pl-field")


def _field(index: int, held: FieldState) -> dict[str, Any]:
    """What the box in this place shows; in places without a field it is not seen."""
    name = held["names"][index] if index < len(held["names"]) else ""
    return {"label": name, "value": held["values"].get(name, ""), "visible": bool(name)}


def _names() -> list[str]:
    return [item.full_name for item in pl.templates()]


def _arrange(shared: PlaygroundState, name: gr.Dropdown, parts: gr.CheckboxGroup) -> None:
    """Keep the fields' boxes in step with the template, and the template with the library.

    One listener writes all of it; what is cleared is taken anew when it is picked again.
    """
    same = [gr.skip()] * (4 + MOST_FIELDS)

    def arrange(
        chosen: str | None, wanted: list[str] | None, text: str, held: FieldState, *values: str
    ) -> list[Any]:
        if not chosen or chosen == held["picked"]:
            shown, now = arrange_fields(chosen or "", wanted or [], text, held, values)
            return [gr.skip() if shown == text else shown, *same[:2], now, *_boxes(now, held)]
        try:
            template, now = picked_template(chosen)
        except pl.PromptlabError as problem:
            gr.Warning(str(problem))
            return same
        choices = gr.CheckboxGroup(now["parts"], value=now["parts"], visible=bool(now["parts"]))
        return [template.source, template.chat, choices, now, *_boxes(now)]

    LatestOnly(shared.template, shared.chat, parts, shared.held, *shared.boxes).on(
        [shared.template.change, name.change, parts.input],
        arrange,
        [name, parts, shared.template, shared.held, *shared.boxes],
        **PRIVATE,
    )


def _boxes(now: FieldState, before: FieldState | None = None) -> list[Any]:
    """Updates of the fields' boxes; one that holds the same field as before is left alone."""
    kept = before["names"] if before is not None else []
    return [
        gr.skip()
        if before is not None and now["names"][i : i + 1] == kept[i : i + 1]
        else gr.Textbox(**_field(i, now))
        for i in range(MOST_FIELDS)
    ]


def _show(
    app: gr.Blocks, load_model: ModelLoader, shared: PlaygroundState, result: gr.HTML
) -> None:
    """Draw what the chosen model reads, as it is typed."""

    def show(template: str, chat: bool, held: FieldState, *rest: str) -> list[Any]:
        model_values, values = rest[: len(shared.model)], rest[len(shared.model) :]
        try:
            model = load_model(*model_values)
            parsed = prompt_source(template, chat=chat)
            drawn = str(
                prompt_view_html(
                    read_template(model, parsed, typed_fields(parsed, held, values)["values"])
                )
            )
        except pl.PromptlabError as problem:
            return [str(error(problem)), gr.skip()]
        return [drawn, gr.Checkbox(interactive=chat or "chat" in model.capabilities)]

    # A text box's ``input`` is not told of pasted text; ``change`` is.
    followed: list[Any] = [shared.template, shared.chat, *shared.boxes, *shared.model]
    shown = [shared.template, shared.chat, shared.held, *shared.model, *shared.boxes]
    LatestOnly(result, shared.chat).on(
        [app.load, *(box.change for box in followed)], show, shown, **PRIVATE
    )


def _offer(load_model: ModelLoader) -> None:
    """The documented endpoint."""

    def tokens(
        template: str, fields: str = "", chat: bool = False, model: str = ""
    ) -> dict[str, Any]:
        """The tokens that a model reads of a template, with the prompt, its shape and length."""
        return prompt_shown(load_model(model), template, fields, chat)

    api_endpoint(tokens)
