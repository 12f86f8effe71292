"""The tab *Failures*: a study's wrong answers, filtered, grouped, corrected, exported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl

from ..components.errors import raise_gradio_errors
from ..components.html import error, html_panel
from ..components.listeners import PRIVATE, on_latest
from ..components.pick_list import build_pick_list, keep_page, keep_place, offer_download
from ..context import AppContext
from ..queue.queue_folder import study_folder
from . import correction_section, endpoints, export, failure_query, groups, table
from .components import NOTHING, FailureComponents, Opened


def build_failures_tab(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the tab out and connect it."""
    study, filters = _asking()
    summary = html_panel(name="failure-summary")
    with gr.Row(elem_classes="pl-misses-tools"):
        by = gr.Radio(groups.WAYS, value=groups.NONE, label="Group by", scale=4, min_width=300)
        with gr.Row(elem_classes="pl-tools"):
            buttons = {
                form: gr.Button(title, size="sm", min_width=150)
                for form, (title, _) in export.FORMS.items()
            }
    cards = build_pick_list(name="failure-groups")
    with gr.Row(elem_classes="pl-library"):
        with gr.Column(scale=7, min_width=320):
            rows = build_pick_list(name="failure-rows")
        with gr.Column(scale=5, min_width=320, elem_id="failure-shown"):
            shown_one = html_panel(name="failure-detail")
            form = correction_section.CorrectionForm()
            misses = FailureComponents(
                runs=context.runs,
                study=study,
                filters=filters,
                by=by,
                summary=summary,
                cards=cards,
                rows=rows,
                detail=shown_one,
                correction=form.outputs,
                card=keep_place(cards, "failure-groups", again=True),
                page=keep_page(rows, "failure-rows"),
                shown=keep_place(rows, "failure-rows"),
                subject=gr.Textbox("", visible="hidden", label="corrected"),
            )
            correction_section.connect_correction(misses, form)
    _ask(page, misses)
    _draw(misses)
    _export(context.download_path, misses, buttons)
    endpoints.add_failure_endpoints(context.runs)


def _asking() -> tuple[gr.Dropdown, list[Any]]:
    """The study, and what is asked of its failures."""
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
        stand = gr.Dropdown(failure_query.STANDS, value="", label="Show", min_width=130, scale=2)
        split = gr.Dropdown([("all", "")], value="", label="Split", min_width=110, scale=1)
    return study, [words, confusion, stand, split]


def _ask(page: gr.Tab, misses: FailureComponents) -> None:
    """List the studies when the tab is opened; ask anew of a study when it is chosen."""
    outputs = [misses.study, misses.opened, *misses.filters, misses.by, misses.card, misses.page,
               misses.shown]  # fmt: skip
    on_latest(
        [misses.study.input, page.select],
        partial(_turned, misses.runs, len(outputs)),
        [misses.study, misses.opened],
        outputs,
    )
    changes = [box.change for box in misses.filters]
    gr.on([*changes, misses.group.change], None, None, misses.page, js="() => 0", **PRIVATE)
    misses.by.change(None, None, misses.card, js="() => ''", **PRIVATE)


def _turned(runs: Path, boxes: int, study: str | None, opened: Opened) -> list[Any]:
    """The studies, and where a study's questions start; those of the study that is open stay."""
    names = failure_query.studies_with_failures(runs)
    chosen = study if study in names else (names[0] if names else "")
    listed = gr.Dropdown(names, value=chosen or None)
    try:
        failures = failure_query.open_failure_log(runs, chosen).failures if chosen else []
        now = (chosen, failure_query.failure_log_stamp(runs, chosen)) if chosen else NOTHING
    except pl.PromptlabError:
        failures, now = [], (chosen, 0)  # told where the failures would stand
    if now == opened and chosen:
        return [listed, *[gr.skip()] * (boxes - 1)]
    parts = failure_query.splits(failures)
    return [
        listed,
        now,
        "",
        gr.Dropdown(failure_query.confusions(failures), value=""),
        "",
        gr.Dropdown(parts, value="", visible=len(parts) > 2),
        groups.NONE,
        "",
        0,
        failures[0].example_id if failures else "",
    ]


def _draw(misses: FailureComponents) -> None:
    """One listener for every place: it draws from what is asked, whatever it was that changed."""
    opened, corrected = misses.opened.change, misses.corrected.change
    on_latest([opened, corrected], partial(_tally, misses.runs), misses.opened, misses.summary)
    on_latest(
        [opened, misses.by.change, misses.card.change],
        partial(_grouped, misses.runs),
        [misses.opened, misses.by, misses.card],
        [misses.cards, misses.group],
    )
    asked = [box.change for box in [*misses.filters, misses.group, misses.page]]
    on_latest(
        [opened, corrected, *asked],
        misses.listed,
        [*misses.question, misses.shown, misses.page],
        misses.rows,
    )
    on_latest(
        [opened, corrected, misses.shown.change],
        misses.detailed,
        [misses.opened, misses.shown],
        [misses.subject, misses.detail, *misses.correction],
    )


def _tally(runs: Path, opened: Opened) -> str:
    try:
        return (
            str(table.failures_summary(failure_query.open_failure_log(runs, opened[0]).failures))
            if opened[0]
            else ""
        )
    except pl.PromptlabError:
        return ""  # told where the failures would stand


def _grouped(runs: Path, opened: Opened, way: str, card: str) -> tuple[str, Any]:
    """The groups as cards, and the failures of the one that was picked."""
    try:
        found = way != groups.NONE and opened != NOTHING
        clusters = (
            groups.group_logged_failures(study_folder(runs, opened[0]), opened[1], way)
            if found
            else ()
        )
    except pl.PromptlabError as problem:
        return str(error(problem)), None
    place = int(card) if card.isdecimal() and len(card) < 4 and int(card) < len(clusters) else None
    ids = None if place is None else [one.example_id for one in clusters[place].failures]
    return str(groups.groups_html(clusters, place)), None if ids is None else (opened, ids)


def _export(
    download_path: Callable[[str], Path], misses: FailureComponents, buttons: dict[str, gr.Button]
) -> None:
    """The failures that are shown, as a file."""

    def connect(form: str, button: gr.Button) -> None:
        @raise_gradio_errors()
        def made(*question: Any) -> Path:
            found, failures = misses.asked(*question)
            text = export.export_failures(form, failures, found.source)
            path = download_path(f"{found.source}-{export.FORMS[form][1]}")
            path.write_text(text, encoding="utf-8")
            return path

        offer_download(button, made, misses.question, f"download-{form}")

    for form, button in buttons.items():
        connect(form, button)
