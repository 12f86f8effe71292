"""The form that starts something to be learned, and the study that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.study import StudyPolicy, dump_yaml

from ..components.html import error, html_panel, note
from ..components.listeners import PRIVATE, on_latest
from ..components.markup import Markup
from ..components.model_bar import model_bar
from ..components.uploads import LabelledFile, OwnFile, file_box, read_labelled, uploaded_file
from ..context import AppContext
from .form import LearnSettings, study_document
from .own_data import fit_preset, own_data
from .presets import (
    ABOUT,
    DATA,
    METHODS,
    OWN,
    QUICK,
    RATED,
    WITH_TOKENS,
    DataPrompt,
    learn_preset,
    learn_template,
)

_METHOD, _DATA = "soft_prompt", "rotten-tomatoes"
_OWN = 15
"""Of the form's boxes, those from here on say which file is used."""


@dataclass(frozen=True)
class StartForm:
    """``boxes`` in the order of `LearnSettings`, the button, and what pressing it said."""

    boxes: list[Any]
    button: gr.Button
    told: gr.HTML


def build_learn_form(context: AppContext) -> StartForm:
    """Method, data and model; template and answers; sizes. Another choice brings its settings."""
    first = QUICK if QUICK in context.models else context.models[0]
    given = learn_preset(_METHOD, first)
    with gr.Row():
        method = gr.Radio(
            [(title, name) for name, title in METHODS.items()],
            value=_METHOD, label="What is learned", scale=5, min_width=300,
            elem_id="learn-method",
        )  # fmt: skip
        data = gr.Dropdown(
            [*((name, name) for name in DATA), ("a file of your own …", OWN)],
            value=_DATA, label="Data set", scale=2, min_width=160, elem_id="learn-data",
        )  # fmt: skip
    about = html_panel(str(note(ABOUT[_METHOD])), name="learn-about")
    with gr.Column(visible=False, elem_id="learn-own") as place:
        own = OwnFile(
            context, file_box("CSV or JSONL with texts and labels", "learn-file"), "learn"
        )
    models = model_bar(context)
    models[0].value = first
    with gr.Row():
        text = gr.Textbox(
            learn_template(_METHOD, DATA[_DATA], first, given.tokens), label="Template", lines=2,
            scale=3, min_width=280, elem_id="learn-template", elem_classes="pl-mono",
        )  # fmt: skip
        answers = gr.Textbox(
            DATA[_DATA].answers, label="Answer words, label: word", lines=2, scale=2, min_width=220
        )
    with gr.Row(elem_classes="pl-learn-sizes"):
        rates = gr.Textbox(
            given.rates, label="Learning rates", min_width=130, elem_id="learn-rates"
        )
        steps = gr.Number(
            given.steps, label="Steps", precision=0, min_width=90, elem_id="learn-steps"
        )
        batch = gr.Number(given.batch, label="Batch", precision=0, min_width=90)
        tokens = gr.Number(given.tokens, label="Learned tokens", precision=0, min_width=110)
        tried = gr.Number(
            given.tried, label="Candidates a step", precision=0, min_width=120, visible=False
        )
        shots = gr.Number(given.shots, label="Examples a label", precision=0, min_width=120)
        dev = gr.Number(
            given.dev, label="Dev examples", precision=0, min_width=110, elem_id="learn-dev"
        )
        every = gr.Number(given.every, label="Steps between dev scores", precision=0, min_width=120)
    with gr.Row(elem_classes="pl-learn-go"):
        button = gr.Button(
            "Start learning", variant="primary", scale=0, min_width=180, elem_id="learn-start"
        )
        told = html_panel(name="learn-told")
    boxes = [method, data, *models, text, answers, rates, steps, batch, tokens, tried, shots, dev,
             every, *own.boxes]  # fmt: skip
    with gr.Accordion("The study that this makes", open=False, elem_classes="pl-learn-study"):
        shown = html_panel(
            str(preview_html(context, *(box.value for box in boxes))), name="learn-study"
        )
    _connect(context, boxes, about, shown)
    _connect_file(context, boxes, own, place, [about, shown])
    return StartForm(boxes, button, told)


def _connect(context: AppContext, boxes: list[Any], about: gr.HTML, shown: gr.HTML) -> None:
    """Another method, data set or model brings its settings; every change is shown as a study."""
    method, data, model = boxes[:3]
    text, answers, tokens, sizes = boxes[5], boxes[6], boxes[10], boxes[7:_OWN]

    def previewed(*values: Any) -> str:
        return str(preview_html(context, *values))

    def room(method: str, data: str, model: str, count: Any, *file: Any) -> Any:
        """The template with room for as many tokens; as it is while there is no file for it."""
        given, _ = _asked_of(context.policy, data, *file)
        return learn_template(method, given, model, _whole(count)) if given else gr.skip()

    gr.on(
        [method.input, data.input, model.input], _settler(context.policy),
        [method, data, model, *boxes[_OWN:]], [about, *boxes[5:_OWN]], **PRIVATE,
    ).then(previewed, boxes, shown, **PRIVATE)  # fmt: skip
    tokens.input(room, [method, data, model, tokens, *boxes[_OWN:]], text, **PRIVATE)
    on_latest([b.change for b in (text, answers, *boxes[3:5], *sizes)], previewed, boxes, shown)


def _connect_file(
    context: AppContext, boxes: list[Any], own: OwnFile, place: gr.Column, told: list[gr.HTML]
) -> None:
    """The file's box is there when a file is wanted, and another file brings its settings."""
    about, shown = told
    boxes[1].input(lambda data: gr.Column(visible=data == OWN), boxes[1], place, **PRIVATE)

    def taken(*values: Any) -> list[Any]:
        found = preset_values(context.policy, *values[:3], *values[_OWN:])
        return [*found, str(preview_html(context, *values))]

    own.then(taken, boxes, [about, *boxes[5:_OWN], shown])


def _settler(policy: StudyPolicy) -> Any:
    return lambda *values: preset_values(policy, *values)


def _whole(count: Any) -> int:
    return int(count) if isinstance(count, int | float) and count >= 1 else 1


def preset_values(
    policy: StudyPolicy,
    method: str,
    data: str,
    model: str,
    file: str = "",
    text: str | None = None,
    label: str | None = None,
) -> list[Any]:
    """About the method, then template, answers and sizes that suit it, data and model.

    While a file is wanted and not there, template and answers stay as they are.
    """
    found, head = learn_preset(method, model), method == "head"
    given, own = _asked_of(policy, data, file, text, label)
    found = fit_preset(found, own) if own else found
    written: dict[str, Any] = {}
    words: dict[str, Any] = {}
    if given:
        written = {"value": learn_template(method, given, model, found.tokens)}
        words = {"value": given.answers}
    return [
        str(note(ABOUT[method])),
        gr.Textbox(label="Text that the head reads" if head else "Template", **written),
        gr.Textbox(visible=not head, **words),
        gr.Textbox(found.rates, visible=method in RATED),
        found.steps,
        found.batch,
        gr.Number(found.tokens, visible=method in WITH_TOKENS),
        gr.Number(found.tried, visible=method == "triggers"),
        found.shots,
        found.dev,
        gr.Number(found.every, visible=method in RATED),
    ]


def _asked_of(
    policy: StudyPolicy, data: str, *file: str | None
) -> tuple[DataPrompt | None, LabelledFile | None]:
    """The question to a data set, and what is in one's own file; neither while that is missing."""
    try:
        own = read_labelled(policy, file[0] or "", *file[1:]) if data == OWN else None
        return own_data(policy, data, file[0] or "", *file[1:]), own
    except pl.PromptlabError:  # told beside the file
        return None, None


def preview_html(context: AppContext, *values: Any) -> Markup:
    """The study as YAML, or what is wrong with the form."""
    try:
        made = build_study(context, *values)
    except pl.PromptlabError as problem:
        return error(problem)
    return Markup('<pre class="pl-prompt">{}</pre>').format(_yaml(made))


def build_study(context: AppContext, *values: Any) -> dict[str, Any]:
    """The study document of the form's values, under a free name. Raises `InputError`."""
    form = LearnSettings(*values)
    name = context.queue.free_name(f"learn-{str(form.method).replace('_', '-')}")
    own = (
        read_labelled(context.policy, form.file, form.text, form.label)
        if form.data == OWN
        else None
    )
    return study_document(form, name, own)


def submit_learning(context: AppContext, *values: Any) -> str:
    """Queue the study of the form's values; its name. Raises `InputError`."""
    made = build_study(context, *values)
    if values[1] == OWN:
        _check_rows(context.policy, made["task"])
    name: str = context.queue.submit(_yaml(made))
    return name


def _check_rows(policy: StudyPolicy, task: dict[str, Any]) -> None:
    """Whether a file has rows enough for what is asked of it, told before anything waits for it."""
    path = uploaded_file(policy, task["data"])
    try:
        pl.Task.from_file(path, **{key: value for key, value in task.items() if key != "data"})
    except pl.InputError as problem:
        raise pl.InputError(str(problem).replace(str(path), path.name)) from problem


def submit_learning_by_name(
    context: AppContext, method: str, data: str, model: str, rates: str, steps: int
) -> str:
    """`submit_learning` with the page's settings for a method, a data set and a model."""
    if method not in METHODS or data not in DATA:
        raise pl.InputError(
            f"there is no method {method!r} for {data!r}; methods are {', '.join(METHODS)}, data "
            f"sets {', '.join(DATA)}"
        )
    name = model or context.models[0]
    given = learn_preset(method, name)
    text = learn_template(method, DATA[data], name, given.tokens)
    return submit_learning(
        context, method, data, name, "auto", "auto", text, DATA[data].answers, rates or given.rates,
        steps or given.steps, given.batch, given.tokens, given.tried, given.shots, given.dev,
        given.every,
    )  # fmt: skip


def _yaml(made: dict[str, Any]) -> str:
    return dump_yaml(made, width=92)
