"""Probabilities of labels for one or several inputs, with and without calibration."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

import gradio as gr
import numpy as np

import promptlab as pl

from ..components.errors import api_endpoint, html_or_error, raise_gradio_errors
from ..components.html import html_panel
from ..components.html import slot_position as slot_at
from ..components.listeners import MODEL_QUEUE, PRIVATE
from ..components.markup import Markup
from ..components.text_fields import (
    LONGEST,
    format_answers,
    format_fields,
    read_answers,
    read_fields,
)
from ..context import AppContext
from .label_cards import CALIBRATIONS, UNCALIBRATED, label_cards_html
from .playground_state import PlaygroundState

START = "sentiment/it-was"
_MOST_INPUTS = 50


def read_inputs(text: str) -> list[dict[str, str]]:
    """One input a block of ``name = value`` lines, blocks apart by a blank line."""
    if len(text) > LONGEST:
        raise pl.InputError(f"fields: {len(text):,} characters are too many; at most {LONGEST:,}")
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    filled = [block for block in blocks if block] or [[]]
    if len(filled) > _MOST_INPUTS:
        raise pl.InputError(
            f"there are {len(filled)} inputs and this page scores {_MOST_INPUTS}; the tab Predict "
            "takes whole files"
        )
    return [read_fields("\n".join(block)) for block in filled]


def label_probabilities(
    model: pl.LanguageModel, template: str, answers: str, fields: str, calibration: str
) -> dict[str, Any]:
    """``prompt``, ``shortened`` fields and for each calibration ``label`` → probability.

    The uncalibrated probabilities always come first. Raises `InputError`.
    """
    names = tuple(dict.fromkeys((UNCALIBRATED, calibration)))
    found = calibrated_probabilities(model, template, answers, read_inputs(fields)[:1], names)
    (row,) = found["inputs"]
    kept = {key: row[key] for key in ("prompt", "slot", "shortened", "probabilities")}
    return kept | {"answers": found["answers"], "priors": found["priors"]}


def calibrated_probabilities(
    model: pl.LanguageModel,
    template: str,
    answers: str,
    inputs: Sequence[dict[str, str]],
    calibrations: Sequence[str],
    chat: bool = False,
) -> dict[str, Any]:
    """Label probabilities of every input under every calibration.

    ``inputs`` are rows with ``prompt``, ``slot``, ``shortened``, ``fields`` and
    ``probabilities``; ``priors`` say for each calibration what was taken off, as probabilities of
    the labels. Raises `InputError`.
    """
    if len(template) > LONGEST:
        raise pl.InputError(f"the template has {len(template):,} characters; at most {LONGEST:,}")
    parsed = pl.Template(template, chat=chat)
    verbalizer = pl.Verbalizer(read_answers(answers))
    examples = [pl.Example(str(number), row) for number, row in enumerate(inputs, 1)]
    rows: list[dict[str, Any]] = [{"fields": row, "probabilities": {}} for row in inputs]
    priors: dict[str, dict[str, float]] = {}
    for name in calibrations:
        chosen: Any = name  # the classifier checks it
        classifier = pl.PromptClassifier(parsed, verbalizer, model, calibration=chosen)
        if name == "batch":
            classifier.fit(examples)
        for row, found in zip(rows, classifier.predict(examples), strict=True):
            scores = found.scores or {}
            row["probabilities"][name] = {label: exp(nats) for label, nats in scores.items()}
        if name != UNCALIBRATED:
            priors[name] = _label_prior(classifier)
    for row, example in zip(rows, examples, strict=True):
        prompt = classifier.render_prompt(example)
        row |= {
            "prompt": str(prompt),
            "slot": slot_at(prompt),
            "shortened": list(prompt.shortened),
        }
    mapping = {label: list(words) for label, words in verbalizer.mapping().items()}
    return {"inputs": rows, "answers": mapping, "priors": priors}


def _label_prior(classifier: pl.PromptClassifier) -> dict[str, float]:
    """What was taken off, as probabilities of the labels."""
    prior = np.array(classifier.settings()["prior"])
    scores = classifier.verbalizer.label_scores(prior[None])[0]
    return {label: exp(nats) for label, nats in zip(classifier.labels, scores, strict=True)}


def classification_templates() -> dict[str, Any]:
    """The library's templates with answers whose text says all of them, by full name."""
    return {
        item.full_name: item
        for item in pl.templates()
        if item.answers is not None and not item.template.chat
    }


def picked_classification(name: str) -> tuple[str, str, str]:
    """Text, answers and example of a template of the library, as the boxes hold them."""
    item = classification_templates().get(name)
    if item is None:
        raise pl.InputError(f"the library has no template {name!r} any more")
    fields = format_fields(item.template, item.example)
    return item.template.source, format_answers(item.verbalizer), fields


def build_labels_section(
    app: gr.Blocks, context: AppContext, shared: PlaygroundState, page: gr.Tab
) -> None:
    """Lay the section out and connect it; it scores when its tab is opened."""

    def scored(
        template: str,
        answers: str,
        fields: str = "",
        calibration: str = "contextual",
        model: str = "",
    ) -> dict[str, Any]:
        """Probabilities of the labels (``label: answer, answer`` a line) for one example."""
        loaded = context.load_model(model)
        return label_probabilities(loaded, template, answers, fields, calibration)

    @html_or_error
    def show(template: str, answers: str, fields: str, chat: bool, *model: str) -> Markup:
        loaded = context.load_model(*model)
        inputs = read_inputs(fields)
        names = [name for name in CALIBRATIONS if name != "batch" or len(inputs) > 1]
        return label_cards_html(
            calibrated_probabilities(loaded, template, answers, inputs, names, chat)
        )

    name, boxes, button, result = _lay_out(picked_classification(START))
    template, answers, fields, chat = boxes
    asked = gr.State(0)

    @raise_gradio_errors()
    def pick(name: str, number: int) -> tuple[Any, ...]:
        return *picked_classification(name), number + 1

    name.input(pick, [name, asked], [template, answers, fields, asked], api_visibility="private")
    typed = [box.submit for box in (template, answers, fields)]
    events = [button.click, *typed, chat.input, page.select, asked.change]
    shared.show(show, [*boxes, *shared.model], result, events)
    page.select(
        lambda: gr.Dropdown(choices=list(classification_templates())), None, name, **PRIVATE
    )
    shared.carry("labels", template=template, answers=answers, fields=fields, chat=chat)
    api_endpoint(scored, "label_probabilities", **MODEL_QUEUE)


def _lay_out(first: Sequence[str]) -> tuple[gr.Dropdown, list[Any], gr.Button, gr.HTML]:
    """The library's names, the boxes (``first`` in them), the button, and the result."""
    with gr.Row(elem_classes="pl-play"):
        with gr.Column(scale=4, min_width=320):
            name = gr.Dropdown(
                list(classification_templates()), value=START, label="Start from the library"
            )
            template = gr.Textbox(
                first[0], label="Template", lines=2, max_lines=8, elem_classes="pl-play-template"
            )
            answers = gr.Textbox(
                first[1], label="Answers", info="label: answer, answer – one label a line.", lines=2
            )
            fields = gr.Textbox(
                first[2],
                label="Inputs",
                info="name = value, one a line; a blank line begins another input.",
                lines=3,
                max_lines=14,
            )
            chat = gr.Checkbox(False, label="Through the model's chat template")
            button = gr.Button("Score", variant="primary")
        with gr.Column(scale=7, min_width=320):
            result = html_panel(name="label-result")
    return name, [template, answers, fields, chat], button, result
