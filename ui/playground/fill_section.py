"""Fill in the blank: the most probable words for the slot of several templates, side by side."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.models import fill_words, rank_answer

from ..components.errors import api_endpoint, html_or_error
from ..components.html import html_panel
from ..components.html import slot_position as slot_at
from ..components.listeners import MODEL_QUEUE
from ..components.markup import Markup
from ..components.text_fields import read_fields, read_templates
from ..context import AppContext
from .fill_cards import fill_html
from .playground_state import PlaygroundState

CAPITALS = """\
The capital of {country} is {mask}.
The capital city of {country} is {mask}.
{country} capital, {mask}.
Q: What is the capital of {country}? A: {mask}"""
"""The wordings of the shipped study *capitals*."""
PRESETS = {"Poland": "Warsaw", "Canada": "Ottawa"}
_MOST_WORDS = 50


def fill_templates(
    model: pl.LanguageModel,
    templates: str,
    fields: str,
    top: int,
    target: str = "",
    chat: bool = False,
) -> list[dict[str, Any]]:
    """One row a template: ``prompt``, where its ``slot`` stands, and ``fills``; or ``error``.

    A fill has ``token``, ``token_id`` and ``probability``. With a ``target`` the row has its
    ``probability``, ``rank`` and number of ``tokens`` under ``target``. A fault in one template
    leaves the others alone. Raises `InputError` for unreadable boxes.
    """
    model.require("fill")
    values = read_fields(fields)
    count = min(max(int(top), 1), _MOST_WORDS)
    return [
        _row(model, text, values, count, target.strip(), chat) for text in read_templates(templates)
    ]


def _row(
    model: pl.LanguageModel, text: str, fields: dict[str, str], top: int, target: str, chat: bool
) -> dict[str, Any]:
    try:
        prompt = pl.Template(text, chat=chat).render(fields)
        tokens = len(model.tokens(prompt))
        if tokens > model.max_tokens:
            raise pl.InputError(
                f"the prompt has {tokens} tokens and {model.name} takes {model.max_tokens}"
            )
        found = fill_words(model, [prompt], top)[0]
        standing = rank_answer(model, [prompt], target)[0] if target else None
    except pl.InputError as problem:
        return {"template": text, "error": str(problem)}
    row = {
        "template": text,
        "prompt": str(prompt),
        "slot": slot_at(prompt),
        "tokens": tokens,
        "fills": [vars(item) | {} for item in found],
        "note": _unseen(model, prompt),
    }
    return row | ({"target": asdict(standing)} if standing else {})


def _unseen(model: pl.LanguageModel, prompt: pl.Prompt) -> str:
    """What the model does not read of the prompt."""
    if model.family == "causal" and re.search(r"\w", prompt.right):
        return (
            f"{model.name} reads from left to right: the words after the slot play no part here "
            "(label probabilities do count them)."
        )
    return ""


def build_fill_section(
    app: gr.Blocks, context: AppContext, shared: PlaygroundState, page: gr.Tab
) -> None:
    """Lay the section out and connect it; it fills when its tab is opened."""

    def fill(
        templates: str,
        fields: str = "",
        top: int = 8,
        model: str = "",
        target: str = "",
        chat: bool = False,
    ) -> list[dict[str, Any]]:
        """The most probable words for the slot of every template (one a line).

        With a target word also its probability and rank.
        """
        return fill_templates(context.load_model(model), templates, fields, top, target, chat)

    @html_or_error
    def show(templates: str, fields: str, top: int, target: str, chat: bool, *model: str) -> Markup:
        loaded = context.load_model(*model)
        return fill_html(fill_templates(loaded, templates, fields, top, target, chat))

    filled, presets, result = _lay_out()
    templates, fields, top, target, chat, button = filled
    asked = gr.State(0)
    for country, preset in presets.items():
        preset.click(
            lambda number, country=country: (*_capitals(country), number + 1),
            asked,
            [templates, fields, target, asked],
            api_visibility="private",
        )
    typed = [box.submit for box in (templates, fields, target)]
    events = [button.click, *typed, top.release, chat.input, page.select, asked.change]
    shared.show(show, [*filled[:-1], *shared.model], result, events)
    shared.carry(
        "fill", template=templates, fields=fields, chat=chat, emptied=[target], as_line=True
    )
    api_endpoint(fill, **MODEL_QUEUE)


def _capitals(country: str) -> tuple[str, str, str]:
    """The boxes' contents for one line of the table of capitals."""
    return CAPITALS, f"country = {country}", PRESETS[country]


def _lay_out() -> tuple[list[Any], dict[str, gr.Button], gr.HTML]:
    """The boxes in the order of `fill_templates` with the button behind them, presets, result."""
    with gr.Row(elem_classes="pl-play"):
        with gr.Column(scale=4, min_width=320):
            templates = gr.Textbox(
                CAPITALS,
                label="Templates, one a line",
                info="{mask} is the blank, {name} a field; \\n is a line break.",
                lines=4,
                max_lines=12,
                elem_classes="pl-play-template",
            )
            fields = gr.Textbox(
                "country = Poland", label="Fields", info="name = value, one a line.", lines=1
            )
            target = gr.Textbox(
                PRESETS["Poland"],
                label="Expected answer",
                info="Its probability and rank under every template; may be left empty.",
            )
            chat = gr.Checkbox(False, label="Through the model's chat template")
            top = gr.Slider(3, 20, 8, step=1, label="Words to show")
            button = gr.Button("Fill", variant="primary")
            with gr.Row(elem_classes="pl-play-uses"):
                presets = {
                    country: gr.Button(f"Capitals: {country}", size="sm", min_width=150)
                    for country in PRESETS
                }
        with gr.Column(scale=7, min_width=320):
            result = html_panel(name="fill-result")
    return [templates, fields, top, target, chat, button], presets, result
