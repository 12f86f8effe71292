"""Model, device and dtype side by side; every tab that works with a model has one."""

from __future__ import annotations

from contextlib import suppress

import gradio as gr

import promptlab as pl

from ..context import DTYPES, AppContext, ModelLoader


def model_bar(context: AppContext) -> list[gr.Dropdown]:
    """Three boxes whose values are the arguments of `AppContext.load_model`, in that order."""
    with gr.Row(elem_classes="pl-model-bar"):
        name = gr.Dropdown(
            list(context.models), value=context.models[0], label="Model", scale=3, min_width=200
        )
        device = gr.Dropdown(
            list(context.devices), value="auto", label="Device", scale=1, min_width=100
        )
        dtype = gr.Dropdown(list(DTYPES), value="auto", label="Dtype", scale=1, min_width=100)
    return [name, device, dtype]


def load_when_chosen(load_model: ModelLoader, boxes: list[gr.Dropdown]) -> None:
    """Load what is chosen, with its progress on the bar; to be connected before all else.

    Gradio tells listeners of one event after the other, so those that follow find it loaded.
    """

    def load(*chosen: str) -> None:
        with suppress(pl.PromptlabError):  # told in the place of whatever is asked of it
            load_model(*chosen)

    gr.on(
        [box.change for box in boxes],
        load,
        boxes,
        None,
        trigger_mode="multiple",
        api_visibility="private",
        show_progress_on=boxes[:1],
    )
