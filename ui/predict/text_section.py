"""The section *One text*: a saved prompt over what is typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import html_or_error
from ..components.html import (
    bar,
    card,
    chip,
    error,
    grid,
    html_panel,
    join_markup,
    note,
    share_text,
)
from ..components.listeners import MODEL_QUEUE, PRIVATE, on_latest
from ..components.markup import Markup
from ..components.text_fields import LONGEST
from ..context import AppContext
from .file_section import MOST_FIELDS
from .saved_predictors import open_saved

_MOST_LABELS = 20


def predict_text(
    predictor: pl.Predictor, fields: Mapping[str, str]
) -> tuple[pl.Prediction, str, float]:
    """The prediction of one example, its prompt if there is one, and seconds.

    Raises `InputError` for a text that is missing or too long.
    """
    if fields and not any(value.strip() for value in fields.values()):
        raise pl.InputError("type a text first")
    for name, value in fields.items():
        if len(value) > LONGEST:
            raise pl.InputError(
                f"{name}: {len(value):,} characters are too many for this page; at most {LONGEST:,}"
            )
    example = pl.Example("typed", dict(fields))
    found = predictor.predict([example])[0]
    return found, predictor.example_prompt(example), found.seconds


def text_result_html(found: pl.Prediction, prompt: str) -> Markup:
    """The label with the probabilities behind it, and the prompt."""
    if found.error:
        return error(found.error)
    told = chip("unparsed", "pl-bad") if found.unparsed else Markup("")
    scores = sorted((found.scores or {}).items(), key=lambda item: -item[1])[:_MOST_LABELS]
    bars = join_markup(
        bar(label, exp(nats), share_text(exp(nats)), strong=index == 0)
        for index, (label, nats) in enumerate(scores)
    )
    parts = [
        Markup('<p class="pl-predict-number">{}</p>').format(found.label or ""),
        told,
        bars,
        note(f"{found.tokens_in + found.tokens_out:,} tokens, {found.seconds:.2f} s"),
    ]
    cards = [card("Prediction", join_markup(parts))]
    if found.text:
        cards.append(card("Reply", Markup('<pre class="pl-prompt">{}</pre>').format(found.text)))
    if prompt:
        cards.append(card("Prompt", Markup('<pre class="pl-prompt">{}</pre>').format(prompt)))
    return grid(cards)


def build_text_section(context: AppContext, study: gr.Dropdown, page: gr.Tab) -> None:
    """Lay the section out and connect it; ``study`` is the chosen saved prompt."""
    with gr.Row():
        with gr.Column(scale=4, min_width=300):
            boxes = [
                gr.Textbox(visible=number == 0, label="text", lines=3, max_lines=14)
                for number in range(MOST_FIELDS)
            ]
            button = gr.Button("Predict", variant="primary")
        with gr.Column(scale=7, min_width=300):
            result = html_panel(name="predict-typed")
    fields: gr.State = gr.State([])

    def prepared(name: str | None) -> list[Any]:
        return _prepared(context, name)

    @html_or_error
    def predicted(name: str | None, names: Sequence[str], *texts: str) -> str:
        if not name:
            raise pl.InputError("choose a saved prompt first")
        predictor = open_saved(context, name)
        wanted = list(names) or list(predictor.fields)
        given = dict(zip(wanted, (text or "" for text in texts), strict=False))
        found, prompt, _ = predict_text(predictor, given)
        return str(text_result_html(found, prompt))

    asked = gr.on(
        [button.click, *(box.submit for box in boxes)],
        predicted,
        [study, fields, *boxes],
        result,
        api_visibility="private",
        **MODEL_QUEUE,
    )
    on_latest([study.change, page.select], prepared, study, [*boxes, fields])
    # an answer of the prompt before does not come late under another one
    study.change(lambda: "", None, result, cancels=[asked], trigger_mode="multiple", **PRIVATE)


def _prepared(context: AppContext, name: str | None) -> list[Any]:
    """A box for every field of a saved prompt, if it can be used."""
    boxes = [gr.Textbox(visible=False)] * MOST_FIELDS
    if not name:
        return [*boxes, []]
    try:
        fields = open_saved(context, name).fields
    except pl.PromptlabError:
        return [*boxes, []]  # why it cannot be used stands where the prompt is told about
    shown = [gr.Textbox(visible=True, label=field) for field in fields[:MOST_FIELDS]]
    return [*shown, *boxes[len(shown) :], list(fields)]
