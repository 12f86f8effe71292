"""The section *What is compared*: examples, prompts, models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from ..drawing import error, panel
from ..forms import shown_answers
from ..listening import QUIET
from ..workbench import DTYPES, Workbench
from . import prompts as known
from .sheet import MOST_EXAMPLES, open_task

_DATA = "sst2"
_EXAMPLES = 24


@dataclass(frozen=True)
class Setup:
    """Components whose values say what is compared; ``prompts`` is a State of `ListedPrompt`."""

    data: gr.Dropdown
    upload: gr.File
    text: gr.Textbox
    label: gr.Textbox
    count: gr.Number
    prompts: gr.State
    ticked: gr.CheckboxGroup
    models: gr.CheckboxGroup
    device: gr.Dropdown
    dtype: gr.Dropdown

    @property
    def boxes(self) -> list[Any]:
        """All of them, in the order of the fields."""
        return list(vars(self).values())


def section(bench: Workbench) -> Setup:
    """Lay the section out and connect it."""
    start = known.starting()
    names = numbered(start)
    with gr.Row(elem_classes="pl-compare-setup"):
        with gr.Column(scale=3, min_width=260):
            data = gr.Dropdown(pl.data_set_names(), value=_DATA, label="Examples of")
            count = gr.Number(
                _EXAMPLES,
                label="Dev examples",
                info="Prompts are compared on dev; test examples choose nothing.",
                minimum=1,
                maximum=MOST_EXAMPLES,
                precision=0,
            )
            with gr.Accordion("Own file", open=False):
                upload = gr.File(
                    label="CSV or JSONL with texts and labels",
                    file_types=[".csv", ".tsv", ".jsonl", ".json"],
                    height=110,
                )
                with gr.Row():
                    text = gr.Textbox(label="Text column", placeholder="guessed", min_width=100)
                    label = gr.Textbox(label="Label column", placeholder="guessed", min_width=100)
        with gr.Column(scale=5, min_width=320):
            listed = gr.State(start)
            ticked = gr.CheckboxGroup(
                names, value=names, label="Prompts", elem_id="compare-prompts", interactive=True
            )
            with gr.Accordion("Add a prompt", open=False, elem_id="compare-add"):
                _adding(listed, ticked, data, upload, text, label)
        with gr.Column(scale=3, min_width=240):
            models = gr.CheckboxGroup(
                list(bench.models),
                value=[bench.models[0]],
                label="Models",
                elem_id="compare-models",
            )
            with gr.Row():
                device = gr.Dropdown(
                    list(bench.devices), value="auto", label="Device", min_width=100
                )
                dtype = gr.Dropdown(list(DTYPES), value="auto", label="Dtype", min_width=100)
    return Setup(data, upload, text, label, count, listed, ticked, models, device, dtype)


def numbered(prompts: list[known.ListedPrompt]) -> list[str]:
    """The prompts' names in the list, a number where two are alike."""
    shorts = [prompt.short for prompt in prompts]
    counts = [shorts[: place + 1].count(short) for place, short in enumerate(shorts)]
    return [
        f"{short} ({count})" if count > 1 else short
        for short, count in zip(shorts, counts, strict=True)
    ]


def chosen(prompts: list[known.ListedPrompt], ticked: list[str]) -> list[known.ListedPrompt]:
    """The ticked prompts, in the order of the list."""
    return [p for p, name in zip(prompts, numbered(prompts), strict=True) if name in ticked]


def task_of(
    data: str, upload: str | None, text: str = "", label: str = "", count: float | None = 0
) -> pl.Task:
    """The task that the boxes name, with ``count`` dev examples if it has so many."""
    path = Path(upload) if upload else None
    return open_task(data, path, text or "", label or "", count=count)


def _adding(
    listed: gr.State,
    ticked: gr.CheckboxGroup,
    *source: Any,
) -> None:
    """The form of a further prompt; ``source`` are the boxes that name the data."""
    library = {item.full_name: item for item in pl.templates()}

    def pick(name: str | None) -> tuple[str, str]:
        if name not in library:
            return "", ""
        item = library[name]
        answers = shown_answers(item.verbalizer) if item.answers is not None else ""
        return item.template.source, answers

    def fit(*data: Any) -> tuple[Any, Any]:
        try:
            task = task_of(*data)
        except pl.PromptlabError:
            return gr.skip(), gr.skip()  # told when the grid is run
        words = "\n".join(f"{label}: {label}" for label in task.labels)
        return gr.Dropdown(known.fitting(task)), gr.Textbox(placeholder=words)

    def add(
        prompts: list[known.ListedPrompt], ticks: list[str], library: str | None, *form: Any
    ) -> tuple[Any, Any, str]:
        try:
            more = known.listed(library or "", *form)
        except pl.PromptlabError as problem:
            return gr.skip(), gr.skip(), str(error(problem))
        prompts = [*prompts, more]
        names = numbered(prompts)
        return prompts, gr.CheckboxGroup(names, value=[*ticks, names[-1]]), ""

    name = gr.Dropdown(known.usable(), value=None, label="Start from the library")
    template = gr.Textbox(
        label="Template", lines=2, max_lines=8, placeholder="{text} It was {mask}"
    )
    answers = gr.Textbox(
        label="Answers", info="label: answer, answer – one label a line.", lines=2, max_lines=8
    )
    with gr.Row():
        calibration = gr.Dropdown(
            known.CALIBRATIONS, value="none", label="Calibration", min_width=180
        )
        shown = gr.Number(
            0,
            label="Demonstrations",
            minimum=0,
            maximum=known.MOST_DEMONSTRATIONS,
            precision=0,
            min_width=120,
        )
    button = gr.Button("Add to the list", size="md", elem_id="compare-add-button")
    complaint = panel()
    name.input(pick, name, [template, answers], api_visibility="private", queue=False)
    gr.on(
        [box.input if isinstance(box, gr.Dropdown | gr.Textbox) else box.change for box in source],
        fit,
        list(source),
        [name, answers],
        **QUIET,
    )
    form: list[Any] = [name, template, answers, calibration, shown]
    button.click(
        add, [listed, ticked, *form], [listed, ticked, complaint], api_visibility="private"
    )
