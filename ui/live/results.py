"""The section *Results*: decided studies with leaderboard, intervals and the result in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

import promptlab as pl

from ..drawing import card, chip, error, joined, note, panel
from ..listening import QUIET
from ..telling import endpoint
from ..workbench import Workbench
from .board import board_panel, table
from .outcome import Outcome
from .words import shown

_ALPHA = 0.05
_BOARD = "leaderboard.json"


def decided(runs: Path) -> list[str]:
    """Names of the studies with a leaderboard, the newest first."""
    found = {path.parent.name: path.stat().st_mtime for path in runs.glob(f"*/{_BOARD}")}
    return sorted(found, key=lambda name: (-found[name], name))


def undecided(runs: Path) -> list[str]:
    """Names of the studies that have begun and have no leaderboard yet."""
    begun = (path.parent for path in runs.glob("*/study.yaml"))
    return sorted(folder.name for folder in begun if not (folder / _BOARD).exists())


def read_board(runs: Path, name: str) -> dict[str, Any]:
    """The leaderboard of a study that `decided` lists. Raises `InputError` for any other name."""
    if name not in decided(runs):
        raise pl.InputError(f"{runs} holds no decided study named {name!r}")
    board: dict[str, Any] = pl.Study(runs / name).leaderboard()
    return board


def draw(board: Mapping[str, Any]) -> Markup:
    """What was found in words, then every trial with its interval."""
    measure = str(board.get("objective") or "accuracy")
    statements = joined(Markup("<li>{}</li>").format(s) for s in board.get("statements") or ())
    trials = board.get("trials") or []
    if not trials:
        told = "This study has no trials."
        if board.get("cells"):
            told = "A learning curve: its plot and its tables are in report.html."
        return Markup('{}<ul class="pl-told">{}</ul>{}').format(
            note(_about(board)), statements, note(told)
        )
    compared = {row["baseline"] for row in board.get("comparisons") or () if "why" in row}
    baselines = [
        (row, "compared" if row["name"] in compared else "control")
        for row in board.get("baselines") or ()
    ]
    caption = (
        "Trials on dev, best first; a name opens its prompt. The shaded band is the interval of "
        "the best."
    )
    return Markup('{}<ul class="pl-told">{}</ul>{}{}').format(
        note(_about(board)),
        statements,
        _on_test(board, measure),
        table(trials, measure, baselines=baselines, caption=caption),
    )


def _on_test(board: Mapping[str, Any], measure: str) -> Markup:
    """The one look at test: the winner, and the paired tests with what it is compared with."""
    best = board.get("best") or {}
    test = best.get("test") or {}
    if not isinstance(test.get(measure), int | float):
        return Markup("")
    ends = test.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
    between = f"95 % interval {shown(measure, ends[0])} – {shown(measure, ends[1])}" if ends else ""
    tests = joined(_paired(row) for row in board.get("comparisons") or ())
    return card(
        "On the untouched test split",
        Markup('<p class="pl-study-test"><b>{}</b> {} {}, n = {}</p>{}').format(
            shown(measure, test[measure]), measure, between, test.get("n", "?"), tests
        ),
        aside=str(best.get("name") or ""),
    )


def _paired(row: Mapping[str, Any]) -> Markup:
    """One paired test in a line."""
    p, difference = row.get("p_value"), row.get("difference")
    if not isinstance(p, int | float) or not isinstance(difference, int | float):
        return Markup("")
    name = str(row.get("baseline"))
    better = "better than" if difference > 0 else "worse than"
    verdict = f"{better} {name}" if p < _ALPHA else f"not distinguishable from {name}"
    told = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"  # as in the table
    test = str(row.get("test")).replace("_", " ")
    return Markup('<p class="pl-note">{} {} ({}, {}; {} examples differ)</p>').format(
        chip(verdict, "pl-good" if p < _ALPHA and difference > 0 else ""),
        f"by {100 * difference:+.1f} points",
        test,
        told,
        row.get("n_discordant"),
    )


def _about(board: Mapping[str, Any]) -> str:
    task, model = board.get("task") or {}, board.get("model") or {}
    known = [
        board.get("description"),
        f"task {task['name']}" if task.get("name") else None,
        f"model {model['name']}" if model.get("name") else None,
        *(f"{task[f'n_{s}']} {s}" for s in ("train", "dev", "test") if task.get(f"n_{s}")),
    ]
    return " · ".join(str(part) for part in known if part)


def section(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the section out and connect it."""
    runs = bench.runs

    def studies() -> list[str]:
        """Names of the decided studies, the newest first."""
        return decided(runs)

    def leaderboard(name: str) -> dict[str, Any]:
        """The result document of a decided study."""
        return read_board(runs, name)

    def show(name: str | None) -> list[Any]:
        if name is None:
            return [str(note(_nothing(runs))), *outcome.updates(None)]
        try:
            return [str(draw(read_board(runs, name))), *outcome.updates(name)]
        except pl.PromptlabError as problem:
            return [str(error(problem)), *outcome.updates(None)]

    def refresh(name: str | None) -> list[Any]:
        names = decided(runs)
        chosen = name if name in names else next(iter(names), None)
        waiting = undecided(runs)
        told = f"Not decided yet: {', '.join(waiting)}." if waiting else ""
        return [
            gr.Dropdown(names, value=chosen),
            str(note(told)) if told else "",
            *show(chosen),
        ]

    with gr.Row():
        name = gr.Dropdown([], label="Study", scale=4, min_width=200, elem_id="result-choice")
        button = gr.Button("Look again", scale=0, min_width=140, size="md", elem_id="look-again")
    outcome = Outcome(bench, name)
    board = board_panel("study-result")
    waiting = panel()
    shown = [board, *outcome.outputs]
    name.input(show, name, shown, **QUIET)
    gr.on(
        [page.select, button.click], refresh, name, [name, waiting, *shown],
        **QUIET,
    )  # fmt: skip
    endpoint(studies)
    endpoint(leaderboard)


def _nothing(runs: Path) -> str:
    return (
        f"No decided study in {runs} yet. `promptlab study run quickstart` makes one; "
        "look again when it has ended."
    )
