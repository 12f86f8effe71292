"""Model, device and dtype side by side; every tab that works with a model has one."""

from __future__ import annotations

import gradio as gr

from .workbench import DTYPES, Workbench


def model_bar(bench: Workbench) -> list[gr.Dropdown]:
    """Three boxes whose values are the arguments of `Workbench.load`, in that order."""
    with gr.Row(elem_classes="pl-model-bar"):
        name = gr.Dropdown(
            list(bench.models), value=bench.models[0], label="Model", scale=3, min_width=200
        )
        device = gr.Dropdown(
            list(bench.devices), value="auto", label="Device", scale=1, min_width=100
        )
        dtype = gr.Dropdown(list(DTYPES), value="auto", label="Dtype", scale=1, min_width=100)
    return [name, device, dtype]
