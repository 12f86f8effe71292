"""The section *What is compared*: examples, prompts, models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from promptlab.data import data_set_names

from ..context import DTYPES, AppContext
from . import add_prompt_section
from .comparison_sheet import MOST_EXAMPLES
from .prompts import number_prompts, starting_prompts

_DATA = "sst2"
_EXAMPLES = 24


@dataclass(frozen=True)
class ComparisonSetup:
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


def build_setup_section(context: AppContext) -> ComparisonSetup:
    """Lay the section out and connect it."""
    start = starting_prompts()
    names = number_prompts(start)
    with gr.Row(elem_classes="pl-compare-setup"):
        with gr.Column(scale=3, min_width=260):
            data = gr.Dropdown(data_set_names(), value=_DATA, label="Examples of")
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
                add_prompt_section.build_add_prompt_section(
                    listed, ticked, (data, upload, text, label)
                )
        with gr.Column(scale=3, min_width=240):
            models = gr.CheckboxGroup(
                list(context.models),
                value=[context.models[0]],
                label="Models",
                elem_id="compare-models",
            )
            with gr.Row():
                device = gr.Dropdown(
                    list(context.devices), value="auto", label="Device", min_width=100
                )
                dtype = gr.Dropdown(list(DTYPES), value="auto", label="Dtype", min_width=100)
    return ComparisonSetup(data, upload, text, label, count, listed, ticked, models, device, dtype)
