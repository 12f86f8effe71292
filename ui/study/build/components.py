"""The boxes, the editor and the buttons of the section *Build*, before anything connects them."""

from __future__ import annotations

from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.data import data_set_names

from ...components.html import html_panel
from ...components.markup import Markup
from ...components.uploads import CORPORA, ENDINGS, OwnFile
from ...context import DTYPES, AppContext
from . import validation
from .form_fields import PRUNERS, SAMPLERS
from .starting_points import EMPTY, empty_study_yaml

_METRICS = (
    "accuracy", "macro_f1", "matthews", "exact_match", "numeric_match", "span_f1", "rouge", "bleu",
    "precision_at_1", "mean_reciprocal_rank", "calibration_error", "game24",
)  # fmt: skip

_FREE: dict[str, Any] = {"allow_custom_value": True}
"""The text may name what is not on offer: that is told beside it, and the boxes still work."""


class BuildComponents:
    """What the section is made of; ``boxes`` are the form's, by the names of `BOXES`."""

    def __init__(self, context: AppContext) -> None:
        self.context = context
        self._begin_row()
        with gr.Row(elem_classes="pl-build"):
            with gr.Column(scale=6, min_width=320):
                self.boxes = self._form()
                _heading("Candidates")
                self.corpus = gr.UploadButton(
                    "Upload a corpus to mine templates from",
                    file_types=CORPORA,
                    file_count="single",
                    size="sm",
                    elem_id="own-corpus",
                )
                self.cards = gr.Column(elem_id="build-groups")
                _heading("Search")
                self.boxes |= self._search()
            with gr.Column(scale=6, min_width=320, elem_classes="pl-build-text"):
                self._text()

    def _begin_row(self) -> None:
        with gr.Row(elem_classes="pl-build-begin"):
            self.start_from = gr.Dropdown(
                [EMPTY], value=EMPTY, label="Begin with", scale=3, min_width=220,
                elem_id="begin-with",
            )  # fmt: skip
            self.upload = gr.UploadButton(
                "or upload your own labelled data",
                file_types=ENDINGS,
                file_count="single",
                scale=2,
                min_width=240,
                elem_id="own-data",
            )
        self.own = OwnFile(self.context, self.upload, "build")
        with self.own.row:
            self.propose = gr.Button(
                "Propose a study", variant="primary", scale=0, min_width=170, elem_id="propose"
            )
        self.begun = html_panel(name="build-begun")

    def _form(self) -> dict[str, Any]:
        context = self.context
        found: dict[str, Any] = {}
        with gr.Group(elem_classes="pl-build-part"):
            found["name"] = gr.Textbox(label="Name", elem_id="build-name")
            found["description"] = gr.Textbox(label="Description", lines=2, max_lines=6)
        with gr.Group(elem_classes="pl-build-part"):
            found["data"] = gr.Dropdown(
                data_set_names(),
                value="sst2",
                allow_custom_value=True,
                label="Data",
                info="A pinned data set, reasoning-gym:NAME, or a file uploaded above.",
                elem_id="build-data",
            )
            with gr.Row():
                found["text"] = gr.Textbox(label="Text column", min_width=130, visible=False)
                found["label"] = gr.Textbox(label="Label column", min_width=130, visible=False)
            with gr.Row(elem_classes="pl-build-boxes"):
                found["k"] = _number("Train, a class", "k")
                found["train"] = _number("Train", "train", whole=False)
                found["dev"] = _number("Dev", "dev", whole=False)
                found["test"] = _number("Test", "test", whole=False)
        with gr.Group(elem_classes="pl-build-part"), gr.Row(elem_classes="pl-build-boxes"):
            found["model"] = gr.Dropdown(
                list(context.models), value=context.models[0], label="Model", min_width=180, **_FREE
            )
            found["device"] = gr.Dropdown(
                list(context.devices), value="auto", label="Device", min_width=100, **_FREE
            )
            found["dtype"] = gr.Dropdown(
                list(DTYPES), value="auto", label="Dtype", min_width=100, **_FREE
            )
        return found

    def _search(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        with gr.Group(elem_classes="pl-build-part"):
            with gr.Row(elem_classes="pl-build-boxes"):
                found["trials"] = _number("At most trials", "trials")
                found["seconds"] = _number("At most seconds", "seconds", whole=False)
                found["seed"] = _number("Seed", "seed")
            with gr.Row(elem_classes="pl-build-boxes"):
                found["sampler"] = gr.Dropdown(
                    list(SAMPLERS), value="auto", label="Sampler", min_width=130, **_FREE
                )
                found["pruner"] = gr.Dropdown(
                    list(PRUNERS), value="none", label="Pruner", min_width=130, **_FREE
                )
                found["baseline"] = gr.Dropdown(
                    [""], value="", label="Baseline group", min_width=150, **_FREE
                )
            found["objectives"] = gr.Dropdown(
                [*_METRICS, "tokens", "seconds", "unparsed_rate"],
                value=[],
                multiselect=True,
                label="Objectives",
                **_FREE,
                info="None: the metric of the data. The first one decides, costs come beside it.",
            )
        return found

    def _text(self) -> None:
        self.yaml = gr.Code(
            empty_study_yaml(self.context),
            language="yaml",
            label="study.yaml",
            lines=24,
            max_lines=34,
            elem_id="study-yaml",
            interactive=True,
        )
        self.status = gr.HTML(
            "",
            elem_id="study-complaints",
            elem_classes="pl-panel",
            apply_default_css=False,
            js_on_load=validation.TO_LINE,
        )
        with gr.Row(elem_classes="pl-build-actions"):
            self.start = gr.Button("Start", variant="primary", min_width=110, elem_id="build-start")
            self.ask = gr.Button("Estimate the cost", min_width=150, elem_id="build-estimate")
            self.download = gr.DownloadButton("Download YAML", min_width=140)
            self.rename = gr.Button("", visible=False, min_width=160, elem_id="build-rename")
        self.estimate = html_panel(name="study-estimate")


def _heading(text: str) -> gr.HTML:
    return gr.HTML(
        Markup('<h3 class="pl-build-head">{}</h3>').format(text), apply_default_css=False
    )


def _number(label: str, name: str, *, whole: bool = True) -> gr.Number:
    return gr.Number(
        None, label=label, precision=0 if whole else None, min_width=90, elem_id=f"build-{name}"
    )
