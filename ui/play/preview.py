"""The prompt: a template is written or picked, and what the model reads of it is shown as typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gradio as gr

import promptlab as pl

from ..drawing import error, panel, slot_position
from ..forms import LONGEST, read_fields, shown_answers, shown_fields
from ..telling import endpoint, telling
from ..workbench import Workbench
from .chips import draw
from .reading import read, written
from .shared import SECTIONS, Shared

START = "capitals/capital-of"
MOST_FIELDS = 8
"""So many fields have a box of their own."""
_GRAMMAR = (
    "{name} is a field, {mask} the answer slot, {soft:20} learned vectors, {trigger:5} tokens to "
    "search; {{ … }} and {% … %} are Jinja."
)
Values = dict[str, str]
Typed = dict[str, Any]
"""``names`` of the fields that the boxes hold now, and ``values`` of all fields ever typed."""


def read_prompt(
    model: pl.LanguageModel, template: str, fields: str = "", chat: bool = False
) -> dict[str, Any]:
    """What a model reads: ``prompt``, ``slot``, ``shape``, ``count``, ``window``, ``shortened``.

    ``tokens`` are rows with ``text``, ``id``, ``kind``, ``place`` and ``read``; ``note`` says why
    there are none. Raises `InputError`.
    """
    found = read(model, written(template, chat=chat), read_fields(fields))
    return {
        "prompt": str(found.prompt),
        "slot": slot_position(found.prompt),
        "shape": found.shape,
        "count": found.count,
        "window": found.window,
        "shortened": list(found.shortened),
        "tokens": [asdict(token) for token in found.tokens],
        "note": found.problem,
    }


def library_choice(name: str) -> dict[str, Any]:
    """A template of the library as the boxes hold it: text, chat, answers, parts and fields."""
    item = next((item for item in pl.templates() if item.full_name == name), None)
    if item is None:
        raise pl.InputError(f"the library has no template {name!r}; it may have been deleted")
    template = item.template
    example = {field: str(item.example.get(field, "")) for field in template.fields}
    return {
        "template": template.source,
        "chat": template.chat,
        "answers": _answers(item),
        "parts": list(template.parts or ()),
        "values": example,
    }


def _answers(item: Any) -> str:
    """Its answers, or the words that its parser takes for labels."""
    if item.answers is not None:
        return shown_answers(item.verbalizer)
    choices = (item.parser or {}).get("choices")
    return shown_answers(pl.Verbalizer(choices)) if isinstance(choices, dict) else ""


def with_parts(name: str, chosen: Sequence[str]) -> str:
    """The text of an instruction template with the chosen parts alone.

    Without its slot it is no template: raises `TemplateError`.
    """
    template = pl.load_template(name)
    dropped = [part for part in template.parts or () if part not in chosen]
    shorter: pl.Template = template.without(*dropped) if dropped else template
    source: str = shorter.source
    return source


def typed(template: pl.Template, before: Typed, boxes: Sequence[str]) -> Typed:
    """What the boxes hold for ``template``, everything typed for other fields remembered."""
    values: Values = {**before["values"], **dict(zip(before["names"], boxes, strict=False))}
    names = list(template.fields)
    if len(names) > MOST_FIELDS:
        raise pl.InputError(
            f"the template reads {len(names)} fields and this page has boxes for {MOST_FIELDS}; "
            "use fewer here, or a file with `promptlab predict`"
        )
    for name in names:
        if len(values.get(name, "")) > LONGEST:
            raise pl.InputError(f"the field {name} has more than {LONGEST:,} characters")
    return {"names": names, "values": values}


def _boxes(now: Typed, before: Typed) -> list[Any]:
    """Updates of the fields' boxes; what is being typed in is left alone."""
    if now["names"] == before["names"]:
        return [gr.skip()] * MOST_FIELDS
    names = now["names"]
    return [
        gr.Textbox(label=names[i], value=now["values"].get(names[i], ""), visible=True)
        if i < len(names)
        else gr.Textbox(value="", visible=False)
        for i in range(MOST_FIELDS)
    ]


def section(
    app: gr.Blocks,
    bench: Workbench,
    chosen: Sequence[gr.Dropdown],
    tabs: gr.Tabs,
    uses: Sequence[str],
) -> Shared:
    """Lay the section out; the boxes that the other sections take the prompt from come back."""
    first = library_choice(START)
    begun: Typed = {"names": list(first["values"]), "values": first["values"]}
    with gr.Row(elem_classes="pl-play"):
        with gr.Column(scale=4, min_width=320):
            name = gr.Dropdown(
                _names(), value=START, label="Start from the library", elem_id="prompt-start"
            )
            template = gr.Textbox(
                first["template"],
                label="Template",
                info=_GRAMMAR,
                lines=3,
                max_lines=14,
                elem_id="prompt-template",
                elem_classes="pl-play-template",
            )
            parts = gr.CheckboxGroup(label="Parts", visible=False, elem_id="prompt-parts")
            with gr.Group(elem_classes="pl-play-fields"):
                boxes = [_field_box(i, list(first["values"].items())) for i in range(MOST_FIELDS)]
            chat = gr.Checkbox(False, label="Through the model's chat template")
            with gr.Row(elem_classes="pl-play-uses"):
                buttons = {
                    use: gr.Button(f"Use in {SECTIONS[use]}", size="sm", min_width=150)
                    for use in uses
                }
        with gr.Column(scale=7, min_width=320):
            result = panel(name="prompt-result")
    fields = gr.Textbox(shown_fields(pl.load_template(START), first["values"]), visible=False)
    answers = gr.Textbox("", visible=False)
    shared = Shared(chosen, template, fields, chat, answers, tabs, buttons)
    _connect(app, bench, shared, name, parts, boxes, result, gr.State(begun))
    return shared


def _field_box(index: int, given: Sequence[tuple[str, str]]) -> gr.Textbox:
    label, value = given[index] if index < len(given) else ("", "")
    return gr.Textbox(
        value,
        label=label,
        lines=1,
        max_lines=8,
        visible=index < len(given),
        elem_classes="pl-field",
    )


def _names() -> list[str]:
    return [item.full_name for item in pl.templates()]


def _connect(
    app: gr.Blocks,
    bench: Workbench,
    shared: Shared,
    name: gr.Dropdown,
    parts: gr.CheckboxGroup,
    boxes: Sequence[gr.Textbox],
    result: gr.HTML,
    state: gr.State,
) -> None:
    def show(template: str, chat: bool, before: Typed, *rest: str) -> list[Any]:
        model_values, field_values = rest[: len(shared.model)], rest[len(shared.model) :]
        unchanged = [gr.skip()] * (3 + MOST_FIELDS)
        try:
            model = bench.load(*model_values)
            parsed = written(template, chat=chat)
            now = typed(parsed, before, field_values)
            drawn = str(draw(read(model, parsed, now["values"])))
        except pl.PromptlabError as problem:
            return [str(error(problem)), *unchanged]
        able = gr.Checkbox(interactive=chat or "chat" in model.can)
        filled = shown_fields(parsed, now["values"])
        return [drawn, filled, now, able, *_boxes(now, before)]

    @telling()
    def pick(full_name: str | None) -> list[Any]:
        if not full_name:  # cleared
            return [gr.skip()] * 5
        found = library_choice(full_name)
        choices = gr.CheckboxGroup(
            choices=found["parts"], value=found["parts"], visible=bool(found["parts"])
        )
        values = {"names": [], "values": found["values"]}
        return [found["template"], found["chat"], found["answers"], choices, values]

    @telling()
    def choose_parts(full_name: str, wanted: list[str]) -> str:
        return with_parts(full_name, wanted)

    def tokens(
        template: str, fields: str = "", chat: bool = False, model: str = ""
    ) -> dict[str, Any]:
        """The tokens that a model reads of a template, with the prompt, its shape and length."""
        return read_prompt(bench.load(model), template, fields, chat)

    inputs = [shared.template, shared.chat, state, *shared.model, *boxes]
    outputs = [result, shared.fields, state, shared.chat, *boxes]
    quiet: dict[str, Any] = {
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "always_last",
    }
    # A text box's ``input`` is not told of pasted text; ``change`` is.
    texts: list[Any] = [shared.template, *boxes]
    gr.on([*(box.change for box in texts), shared.chat.input], show, inputs, outputs, **quiet)
    loading = quiet | {"show_progress": "full", "show_progress_on": result}
    gr.on([box.change for box in shared.model], show, inputs, outputs, **loading)
    app.load(show, inputs, outputs, **quiet)
    picked = [shared.template, shared.chat, shared.answers, parts, state]
    name.change(pick, name, picked, api_visibility="private").success(
        show, inputs, outputs, **quiet
    )
    parts.input(choose_parts, [name, parts], shared.template, api_visibility="private").success(
        show, inputs, outputs, **quiet
    )
    endpoint(tokens)
