"""The tab *Failures*: a study's wrong answers, filtered, grouped, corrected, exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from .drawing import error, panel
from .listening import QUIET
from .misses import correcting, endpoints, export, groups, log, table
from .misses.parts import Misses
from .picking import download, picked, picker, turned_to
from .telling import telling
from .workbench import Workbench


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out and connect it."""
    with gr.Row(elem_classes="pl-library-search"):
        study = gr.Dropdown([], label="Study", scale=3, min_width=200)
        words = gr.Textbox(
            "",
            label="Search",
            placeholder="words in prompt, input, answers or notes",
            scale=4,
            min_width=200,
        )
        confusion = gr.Dropdown(
            [("all", "")], value="", label="Confusion", min_width=170,
            scale=3,
        )  # fmt: skip
        stand = gr.Dropdown(log.STANDS, value="", label="Show", min_width=130, scale=2)
        split = gr.Dropdown([("all", "")], value="", label="Split", min_width=110, scale=1)
    summary = panel(name="failure-summary")
    with gr.Row(elem_classes="pl-misses-tools"):
        by = gr.Radio(groups.WAYS, value=groups.NONE, label="Group by", scale=4, min_width=300)
        with gr.Row(elem_classes="pl-tools"):
            buttons = {
                form: gr.Button(title, size="sm", min_width=150)
                for form, (title, _) in export.FORMS.items()
            }
    cards = picker(name="failure-groups")
    with gr.Row(elem_classes="pl-library"):
        with gr.Column(scale=7, min_width=320):
            rows = picker(name="failure-rows")
        with gr.Column(scale=5, min_width=320, elem_id="failure-shown"):
            shown_one = panel(name="failure-detail")
            form = correcting.Form()
            misses = Misses(
                bench=bench,
                study=study,
                filters=[words, confusion, stand, split],
                group=gr.State(None),
                shown=gr.State(""),
                summary=summary,
                rows=rows,
                detail=shown_one,
                correction=form.outputs,
            )
            correcting.connect(misses, form)
    _choose_study(page, misses, by, cards)
    _browse(misses)
    _group(misses, by, cards)
    _export(misses, buttons)
    endpoints.connect(bench)


def _choose_study(page: gr.Tab, misses: Misses, by: gr.Radio, cards: gr.HTML) -> None:
    """List the studies when the tab is opened; show a study anew when it is chosen."""

    def fresh(study: str) -> list[Any]:
        try:
            failures = log.opened(misses.bench, study).failures
        except pl.PromptlabError as problem:
            failures = []
            drawn = str(error(problem)) if study else ""
        else:
            drawn = str(table.summary(failures))
        parts = log.splits(failures)
        first = failures[0].example_id if failures else ""
        return [
            "",
            gr.Dropdown(log.confusions(failures), value=""),
            "",
            gr.Dropdown(parts, value="", visible=len(parts) > 2),
            None,
            drawn,
            groups.NONE,
            "",
            misses.listed(study, "", "", "", "", None, first, 0),
            *misses.detailed(study, first),
        ]

    def listed(study: str | None) -> list[Any]:
        names = log.studies(misses.bench)
        chosen = study if study in names else (names[0] if names else None)
        kept = study and study == chosen
        values = [gr.skip()] * len(outputs) if kept else fresh(chosen or "")
        return [gr.Dropdown(names, value=chosen), *values]

    outputs = [*misses.filters, misses.group, misses.summary, by, cards, misses.rows, *misses.one]
    misses.study.input(fresh, misses.study, outputs, **QUIET)
    page.select(listed, misses.study, [misses.study, *outputs], **QUIET)


def _browse(misses: Misses) -> None:
    """Filter as one types, turn pages, look at one."""

    def filtered(shown: str, *question: Any) -> str:
        return misses.listed(*question, shown, 0)

    def turned(
        shown: str, study: str, words: str, confusion: str, stand: str, split: str, ids: Any,
        event: gr.EventData,
    ) -> str:  # fmt: skip
        question = (study, words, confusion, stand, split, ids)
        return misses.listed(*question, shown, turned_to(event))

    def looked_at(study: str, event: gr.EventData) -> list[Any]:
        return misses.detailed(study, picked(event))

    words, *choices = misses.filters  # pasting changes a text box and raises no *input*
    boxes = [misses.shown, *misses.question]
    gr.on(
        [words.change, *(box.input for box in choices)],
        filtered,
        boxes,
        misses.rows,
        trigger_mode="always_last",
        **QUIET,
    )
    misses.rows.submit(turned, boxes, misses.rows, **QUIET)
    misses.rows.click(looked_at, misses.study, misses.one, **QUIET)


def _group(misses: Misses, by: gr.Radio, cards: gr.HTML) -> None:
    """Draw the groups, and look at one alone."""

    def grouped(way: str, shown: str, study: str, *filters: Any) -> list[Any]:
        try:
            clusters = groups.found(log.opened(misses.bench, study).failures, way)
        except pl.PromptlabError as problem:
            return [str(error(problem)), None, gr.skip()]
        drawn = str(groups.draw(clusters))
        return [drawn, None, misses.listed(study, *filters[:-1], None, shown, 0)]

    def looked_at(
        way: str, shown: str, study: str, words: str, confusion: str, stand: str, split: str,
        before: Any, event: gr.EventData,
    ) -> list[Any]:  # fmt: skip
        try:
            clusters = groups.found(log.opened(misses.bench, study).failures, way)
        except pl.PromptlabError as problem:
            return [str(error(problem)), None, gr.skip()]
        number = picked(event)
        place = int(number) if number.isdecimal() and int(number) < len(clusters) else None
        ids = None if place is None else [one.example_id for one in clusters[place].failures]
        if ids == before:
            place, ids = None, None
        question = (study, words, confusion, stand, split, ids)
        return [str(groups.draw(clusters, place)), ids, misses.listed(*question, shown, 0)]

    boxes = [by, misses.shown, *misses.question]
    outputs = [cards, misses.group, misses.rows]
    by.input(grouped, boxes, outputs, api_visibility="private", show_progress="minimal")
    cards.click(looked_at, boxes, outputs, **QUIET)


def _export(misses: Misses, buttons: dict[str, gr.Button]) -> None:
    """The failures that are shown, as a file."""

    def connect(form: str, button: gr.Button) -> None:
        @telling()
        def made(*question: Any) -> Path:
            found, failures = misses.asked(*question)
            text = export.written(form, failures, found.source)
            path = misses.bench.download(f"{found.source}-{export.FORMS[form][1]}")
            path.write_text(text, encoding="utf-8")
            return path

        download(button, made, misses.question, f"download-{form}")

    for form, button in buttons.items():
        connect(form, button)
