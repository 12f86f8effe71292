"""Probabilities of labels for one example, with and without calibration."""

from __future__ import annotations

from math import exp
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
from ..forms import (
    LONGEST,
    read_answers,
    read_fields,
    shown_answers,
    shown_fields,
)
from ..workbench import Workbench, told
from .shared import Shared

START = "sentiment/it-was"
CALIBRATIONS = [
    ("contextual (Zhao et al. 2021)", "contextual"),
    ("PMI (Holtzman et al. 2021)", "pmi"),
    ("none", "none"),
]
_UNCALIBRATED = "none"


def label_probabilities(
    model: pl.LanguageModel, template: str, answers: str, fields: str, calibration: str
) -> dict[str, Any]:
    """``prompt``, ``shortened`` fields and for each calibration ``label`` → probability.

    The uncalibrated probabilities always come first. Raises `InputError`.
    """
    if len(template) > LONGEST:
        raise pl.InputError(f"the template has {len(template):,} characters; at most {LONGEST:,}")
    parsed = pl.Template(template)
    verbalizer = pl.Verbalizer(read_answers(answers))
    example = pl.Example("example", read_fields(fields))
    probabilities = {}
    for name in dict.fromkeys((_UNCALIBRATED, calibration)):
        chosen: Any = name  # the classifier checks it
        classifier = pl.PromptClassifier(parsed, verbalizer, model, calibration=chosen)
        scores = classifier.predict([example])[0].scores or {}
        probabilities[name] = {label: exp(nats) for label, nats in scores.items()}
    prompt = classifier.prompt(example)
    return {
        "prompt": str(prompt),
        "slot": slot_position(prompt),
        "shortened": list(prompt.shortened),
        "answers": {label: list(words) for label, words in verbalizer.mapping().items()},
        "probabilities": probabilities,
    }


def draw(found: dict[str, Any]) -> Markup:
    """The prompt, then a card for each calibration."""
    parts = [prompt_text(found["prompt"], found["slot"])]
    if found["shortened"]:
        parts.append(note(f"Shortened to fit the model's window: {', '.join(found['shortened'])}."))
    parts.append(grid(_card(name, found) for name in found["probabilities"]))
    return Markup("").join(parts)


def _card(calibration: str, found: dict[str, Any]) -> Markup:
    probabilities: dict[str, float] = found["probabilities"][calibration]
    best = max(probabilities, key=probabilities.__getitem__)
    bars = Markup("").join(
        bar(
            label,
            share,
            share_text(share),
            detail=f"{label}: {', '.join(found['answers'][label])}",
            strong=label == best,
        )
        for label, share in probabilities.items()
    )
    title = "As scored" if calibration == _UNCALIBRATED else f"Calibrated: {calibration}"
    return card(title, bars, aside=best)


def classification_templates() -> dict[str, Any]:
    """The library's templates with answers whose text says all of them, by full name."""
    return {
        item.full_name: item
        for item in pl.templates()
        if item.answers is not None and not item.template.chat
    }


def section(app: gr.Blocks, bench: Workbench, shared: Shared, page: gr.Tab) -> None:
    """Lay the section out and connect it; it scores when its tab is opened."""
    library = classification_templates()

    def scored(
        template: str,
        answers: str,
        fields: str = "",
        calibration: str = "contextual",
        model: str = "",
    ) -> dict[str, Any]:
        """Probabilities of the labels (``label: answer, answer`` a line) for one example."""
        try:
            loaded = bench.load(model)
            return label_probabilities(loaded, template, answers, fields, calibration)
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def show(template: str, answers: str, fields: str, calibration: str, *model: str) -> str:
        try:
            loaded = bench.load(*model)
            return str(draw(label_probabilities(loaded, template, answers, fields, calibration)))
        except pl.PromptlabError as problem:
            return str(error(problem))

    def pick(name: str) -> tuple[str, str, str]:
        item = library[name]
        fields = shown_fields(item.template, item.example)
        return item.template.source, shown_answers(item.verbalizer), fields

    with gr.Row():
        with gr.Column(scale=4, min_width=320):
            name = gr.Dropdown(list(library), value=START, label="Start from the library")
            first = pick(START)
            template = gr.Textbox(first[0], label="Template", lines=2, max_lines=8)
            answers = gr.Textbox(
                first[1], label="Answers", info="label: answer, answer – one label a line.", lines=2
            )
            fields = gr.Textbox(first[2], label="Fields", info="name = value.", lines=2)
            calibration = gr.Radio(CALIBRATIONS, value="contextual", label="Calibration beside it")
            button = gr.Button("Score", variant="primary")
        with gr.Column(scale=7, min_width=320):
            result = panel(name="label-result")
    boxes: list[Any] = [template, answers, fields, calibration, *shared.model]
    options: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
    picked = name.input(pick, name, boxes[:3], api_visibility="private")
    picked.then(show, boxes, result, api_visibility="private", **options)
    gr.on(
        [
            button.click,
            template.submit,
            answers.submit,
            fields.submit,
            calibration.input,
            page.select,
        ],
        show,
        boxes,
        result,
        api_visibility="private",
        **options,
    )
    shared.carry("labels", template=template, answers=answers, fields=fields)
    api(scored, api_name="label_probabilities", **options)
