"""The section *Over time*: decided studies beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.study import StudyComparison

from ...components.errors import api_endpoint, html_or_error
from ...components.html import error, html_panel, note
from ...components.listeners import PRIVATE
from ...queue.queue_folder import study_folder
from . import html

_MOST = 40


def comparable_studies(runs: Path) -> list[str]:
    """Decided studies with a winner, the newest first, as many as are shown."""
    found = []
    boards = sorted(runs.glob("*/leaderboard.json"), key=lambda p: -p.stat().st_mtime)
    for board in boards[: 2 * _MOST]:
        try:
            if pl.Study(board.parent).leaderboard().get("best"):
                found.append(board.parent.name)
        except (pl.PromptlabError, ValueError):
            continue  # a folder that is no study's is not offered
    return found[:_MOST]


def compare_named(runs: Path, names: list[str]) -> StudyComparison:
    """The studies of these names. Raises `InputError` for strangers and too many."""
    if len(names) > _MOST:
        raise pl.InputError(f"{len(names)} studies are too many for one page; at most {_MOST}")
    found: StudyComparison = pl.compare_studies([study_folder(runs, name) for name in names])
    return found


def build_history_section(runs: Path, part: gr.Tab) -> None:
    """Lay the section out and connect it."""

    def compare_studies(names: list[str]) -> dict[str, Any]:
        """Decided studies by their winners on test; paired tests where test examples are shared."""
        row: dict[str, Any] = compare_named(runs, names).row()
        return row

    def show(names: list[str]) -> list[Any]:
        if not names:
            nothing = note("No decided study with a winner yet; run one, and look again.")
            return [str(nothing), "", gr.update(choices=[]), gr.update(choices=[])]
        try:
            found = compare_named(runs, names)
        except pl.PromptlabError as problem:
            return [str(error(problem)), "", gr.skip(), gr.skip()]
        rows = found.studies
        drawn = (
            html.history_charts_html(rows)
            + html.paired_tests_html(found.pairs)
            + html.history_table_html(rows)
        )
        order = [row.name for row in rows]
        one, other = (order[-2], order[-1]) if len(order) > 1 else (None, None)
        both = pair(one, other)
        return [
            str(drawn),
            both,
            gr.update(choices=order, value=one),
            gr.update(choices=order, value=other),
        ]

    @html_or_error
    def pair(one: str | None, other: str | None) -> str:
        if not one or not other or one == other:
            return str(note("Choose two different studies to see what was changed."))
        rows = {row.name: row for row in compare_named(runs, [one, other]).studies}
        found = pl.Study(study_folder(runs, one)).changes(pl.Study(study_folder(runs, other)))
        return str(
            html.winners_html([rows[one], rows[other]]) + html.changes_html(found, one, other)
        )

    def opened() -> list[Any]:
        names = comparable_studies(runs)
        return [gr.update(choices=names, value=names), *show(names)]

    with gr.Row(elem_classes="pl-time-choice"):
        names = gr.Dropdown(
            [], multiselect=True, label="Studies", scale=5, min_width=260, elem_id="time-studies"
        )
        again = gr.Button("Refresh", scale=0, min_width=130, elem_id="time-again")
    board = html_panel(name="time-board")
    gr.HTML('<h3 class="pl-time-head">What was changed</h3>', apply_default_css=False)
    with gr.Row(elem_classes="pl-build-boxes"):
        one = gr.Dropdown([], label="From", min_width=200, elem_id="time-from")
        other = gr.Dropdown([], label="to", min_width=200, elem_id="time-to")
    both = html_panel(name="time-pair")
    outputs = [board, both, one, other]
    gr.on([part.select, again.click], opened, None, [names, *outputs], **PRIVATE)
    names.input(show, names, outputs, **PRIVATE)
    gr.on([one.input, other.input], pair, [one, other], both, **PRIVATE)
    api_endpoint(compare_studies)
