"""The tab *Predict*: a saved prompt at work, on a file or on one text."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..components.errors import html_or_error
from ..components.html import html_panel
from ..components.listeners import PRIVATE, on_latest
from ..components.markup import Markup
from ..context import AppContext
from . import endpoints, file_section, text_section
from .saved_predictors import describe_saved, saved_predictor_html, saved_predictors


def build_predict_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out: which prompt, what it is, and below it what it is used on."""
    with gr.Row(elem_classes="pl-predict-top"):
        with gr.Column(scale=4, min_width=300):
            study = gr.Dropdown(
                [],
                label="Saved prompt",
                info="Winners of decided studies, the newest first.",
                elem_id="predict-study",
            )
        with gr.Column(scale=7, min_width=300):
            about = html_panel(name="predict-about")
    with gr.Tabs():
        with gr.Tab("A file", id="predict-a-file"):
            file_section.build_file_section(context, study)
        with gr.Tab("One text", id="predict-a-text") as typed:
            text_section.build_text_section(context, study, typed)
    endpoints.add_predict_endpoints(context)

    def listed(name: str | None) -> tuple[Any, str]:
        names = saved_predictors(context.runs)
        chosen = name if name in names else next(iter(names), None)
        return gr.Dropdown(names, value=chosen), _about(context, chosen)

    def shown(name: str | None) -> str:
        return _about(context, name)

    page.select(listed, study, [study, about], **PRIVATE)
    on_latest(study.input, shown, study, about)


@html_or_error
def _about(context: AppContext, name: str | None) -> str:
    if not name:
        return str(_nothing())
    return str(saved_predictor_html(describe_saved(context, name)))


def _nothing() -> Markup:
    return Markup('<div class="pl-predict-empty"><p>{}</p><p class="pl-note">{}</p></div>').format(
        "There is no saved prompt yet.",
        "Run a study to its end on the tab Study, or with `promptlab study run quickstart`: its "
        "winner is saved and appears here.",
    )
