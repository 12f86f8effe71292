"""Fill in the blank: words for the slot of several templates, and probabilities of labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import api
from markupsafe import Markup

import promptlab as pl

from ..drawing import (
    bar,
    card,
    error,
    grid,
    note,
    panel,
    prompt_text,
    share_text,
    slot_position,
)
from ..forms import read_fields, read_templates
from ..workbench import Workbench, told
from .shared import Shared

TEMPLATES = """\
The capital of {country} is {mask}.
{country}'s capital city is called {mask}.
Q: What is the capital of {country}? A: {mask}"""
FIELDS = "country = Poland"
_MOST_WORDS = 50


def fill_templates(
    model: pl.LanguageModel, templates: str, fields: str, top: int
) -> list[dict[str, Any]]:
    """One row a template: ``prompt``, where its ``slot`` stands, and ``fills``; or ``error``.

    A fill has ``token``, ``token_id`` and ``probability``. A fault in one template leaves the
    others alone. Raises `InputError` for unreadable boxes.
    """
    values = read_fields(fields)
    count = min(max(int(top), 1), _MOST_WORDS)
    return [_row(model, text, values, count) for text in read_templates(templates)]


def _row(model: pl.LanguageModel, text: str, fields: dict[str, str], top: int) -> dict[str, Any]:
    try:
        prompt = pl.Template(text).render(fields)
        tokens = model.count_tokens(prompt)
        if tokens > model.max_tokens:
            raise pl.InputError(
                f"the prompt has {tokens} tokens and {model.name} takes {model.max_tokens}"
            )
        found = model.fill([prompt], top)[0]
    except pl.InputError as problem:
        return {"template": text, "error": str(problem)}
    return {
        "template": text,
        "prompt": str(prompt),
        "slot": slot_position(prompt),
        "tokens": tokens,
        "fills": [vars(item) | {} for item in found],
        "note": _unseen(model, prompt),
    }


def _unseen(model: pl.LanguageModel, prompt: pl.Prompt) -> str:
    """What the model does not read of the prompt."""
    if model.family == "causal" and re.search(r"\w", prompt.right):
        return (
            f"{model.name} reads from left to right: the words after the slot play no part here "
            "(label probabilities below do count them)."
        )
    return ""


def draw(rows: Sequence[dict[str, Any]]) -> Markup:
    """Cards side by side, all bars to one scale."""
    shares = [item["probability"] for row in rows for item in row.get("fills", ())]
    longest = max(shares, default=1.0) or 1.0
    return grid(_card(row, longest) for row in rows)


def _card(row: dict[str, Any], longest: float) -> Markup:
    if "error" in row:
        shows_template = row["error"].endswith("^")
        return card("" if shows_template else row["template"], error(row["error"]))
    bars = Markup("").join(
        bar(
            _word(item["token"]),
            item["probability"] / longest,
            share_text(item["probability"]),
            detail=f"token {item['token_id']}: {item['token']!r}",
            strong=index == 0,
        )
        for index, item in enumerate(row["fills"])
    )
    prompt = prompt_text(row["prompt"], row["slot"])
    told = note(f"{row['tokens']} tokens. {row['note']}")
    return card("", prompt + bars + told)


def _word(token: str) -> str:
    """A token as a word; white space made visible."""
    return token.strip() or token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "␣") or "∅"


def section(app: gr.Blocks, bench: Workbench, shared: Shared, page: gr.Tab) -> None:
    """Lay the section out and connect it; it fills when its tab is opened."""

    def fill(
        templates: str, fields: str = "", top: int = 8, model: str = ""
    ) -> list[dict[str, Any]]:
        """The most probable words for the slot of every template (one a line)."""
        try:
            return fill_templates(bench.load(model), templates, fields, top)
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def show(templates: str, fields: str, top: int, *model: str) -> str:
        try:
            return str(draw(fill_templates(bench.load(*model), templates, fields, top)))
        except pl.PromptlabError as problem:
            return str(error(problem))

    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            templates = gr.Textbox(
                TEMPLATES,
                label="Templates, one a line",
                info="{mask} is the blank, {name} a field; \\n is a line break.",
                lines=4,
                max_lines=12,
            )
            fields = gr.Textbox(FIELDS, label="Fields", info="name = value, one a line.", lines=2)
            top = gr.Slider(3, 20, 8, step=1, label="Words to show")
            button = gr.Button("Fill", variant="primary")
        with gr.Column(scale=7, min_width=320):
            result = panel(name="fill-result")
    gr.on(
        [button.click, templates.submit, fields.submit, top.release, page.select],
        show,
        [templates, fields, top, *shared.model],
        result,
        api_visibility="private",
        concurrency_id="model",
        concurrency_limit=1,
    )
    shared.carry("fill", template=templates, fields=fields, as_line=True)
    api(fill, api_name="fill", concurrency_id="model", concurrency_limit=1)
