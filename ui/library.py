"""The tab *Library*: templates by task, shape and words, each shown with its example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import api
from markupsafe import Markup

import promptlab as pl

from .drawing import chip, error, joined, note, panel, prompt_text, slot_position
from .workbench import Workbench, told

ALL = "all tasks"
SHAPES = ["all", "prefix", "cloze"]
_MOST_SHOWN = 60


def find_templates(words: str = "", task: str = ALL, shape: str = "all") -> list[Any]:
    """The library's templates that hold every one of ``words`` in their row.

    Raises `InputError` for an unknown task.
    """
    wanted = words.lower().split()
    chosen = pl.templates(None if task in ("", ALL) else task)
    return [
        item
        for item in chosen
        if shape in ("", "all", item.template.shape)
        and all(word in _searched(item) for word in wanted)
    ]


def _answer(item: Any) -> dict[str, Any]:
    """A row for the API, without ``path``: Gradio's client takes that for a file to fetch."""
    return {key: value for key, value in item.row().items() if key != "path"}


def _searched(item: Any) -> str:
    answers = "" if item.answers is None else str(item.answers)
    return f"{item.full_name}\n{item.template.source}\n{answers}\n{item.source}".lower()


def draw(items: Sequence[Any]) -> Markup:
    """One foldable row a template."""
    told = f"{len(items)} template{'' if len(items) == 1 else 's'}"
    if len(items) > _MOST_SHOWN:
        told += f", the first {_MOST_SHOWN} shown; narrow the search to see others"
    return note(f"{told}.") + joined(_row(item) for item in items[:_MOST_SHOWN])


def _row(item: Any) -> Markup:
    return Markup(
        '<details class="pl-item"><summary><code>{}</code>{}<span class="pl-line">{}</span>'
        "</summary>{}</details>"
    ).format(
        item.full_name,
        chip(item.template.shape, f"pl-{item.template.shape}"),
        item.template.source,
        _details(item),
    )


def _details(item: Any) -> Markup:
    facts = [("reads", ", ".join(item.template.fields) or "no field"), ("source", item.source)]
    if item.answers is not None:
        facts[:0] = [
            (f"answers for {label}", ", ".join(words))
            for label, words in item.verbalizer.mapping().items()
        ]
    elif item.open_vocabulary:
        facts.insert(0, ("answer", "any token of the vocabulary"))
    elif item.parser is not None:
        facts.insert(0, ("reply", f"generated, read by the {item.parser.get('type')} parser"))
    rows = joined(Markup("<dt>{}</dt><dd>{}</dd>").format(*fact) for fact in facts)
    return Markup("<h4>With its example</h4>{}<dl>{}</dl>").format(render_example(item), rows)


def render_example(item: Any) -> Markup:
    """The template's own example in it, the slot marked; or why that cannot be."""
    try:
        prompt = item.template.render(item.example)
    except pl.InputError as problem:
        return error(problem)
    return prompt_text(str(prompt), slot_position(prompt))


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out and connect it."""

    def templates(words: str = "", task: str = ALL, shape: str = "all") -> list[dict[str, Any]]:
        """The templates found, as rows with name, task, shape, text and answers."""
        try:
            return [_answer(item) for item in find_templates(words, task, shape)]
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def render(name: str) -> str:
        """A template with its own example, ``{mask}`` in the slot."""
        try:
            item = next((i for i in pl.templates() if i.full_name == name), None)
            if item is None:
                raise pl.InputError(f"the library has no template {name!r}")
            return str(item.template.render(item.example))
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def show(words: str, task: str, shape: str) -> str:
        try:
            return str(draw(find_templates(words, task, shape)))
        except pl.PromptlabError as problem:
            return str(error(problem))

    with gr.Row():
        words = gr.Textbox(
            label="Search",
            placeholder="words in the name, text, answers or source",
            scale=3,
            min_width=280,
        )
        names = [ALL, *(task.name for task in pl.tasks())]
        task = gr.Dropdown(names, value="sentiment", label="Task", scale=2)
        shape = gr.Radio(SHAPES, value="all", label="Shape", scale=2)
    found = panel(show("", "sentiment", "all"), "library-result")
    gr.on(
        [words.input, task.input, shape.input],
        show,
        [words, task, shape],
        found,
        show_progress="hidden",
        trigger_mode="always_last",
        api_visibility="private",
    )
    api(templates, api_name="templates")
    api(render, api_name="render_template")
