"""The section *Results*: decided studies with leaderboard, intervals and the result in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

import promptlab as pl
from promptlab.study import study_verdict

from ...components.errors import api_endpoint
from ...components.html import card, chip, count_text, error, html_panel, join_markup, note
from ...components.listeners import DEFAULT_CONCURRENCY, on_latest
from ...components.markup import Markup
from ...components.session_diff import SessionDiff, receipt_box
from ...context import AppContext
from .formatting import format_measure
from .leaderboard_table import board_panel, leaderboard_html
from .lineage_html import lineage_panel
from .outcome import StudyResultFiles

_ALPHA = 0.05
_BOARD = "leaderboard.json"


def decided_studies(runs: Path) -> list[str]:
    """Names of the studies with a leaderboard, the newest first."""
    found = {path.parent.name: path.stat().st_mtime for path in runs.glob(f"*/{_BOARD}")}
    return sorted(found, key=lambda name: (-found[name], name))


def undecided_studies(runs: Path) -> list[str]:
    """Names of the studies that have begun and have no leaderboard yet."""
    begun = (path.parent for path in runs.glob("*/study.yaml"))
    return sorted(folder.name for folder in begun if not (folder / _BOARD).exists())


def read_leaderboard(runs: Path, name: str) -> dict[str, Any]:
    """The leaderboard of a study in `decided_studies`. Raises `InputError` for any other name."""
    if name not in decided_studies(runs):
        raise pl.InputError(f"{runs} holds no decided study named {name!r}")
    board: dict[str, Any] = pl.Study(runs / name).leaderboard()
    return board


def results_html(board: Mapping[str, Any]) -> Markup:
    """What was found in words, then every trial with its interval."""
    measure = str(board.get("objective") or "accuracy")
    statements = join_markup(Markup("<li>{}</li>").format(s) for s in board.get("statements") or ())
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
    return Markup('{}{}<ul class="pl-told">{}</ul>{}{}').format(
        note(_about(board)),
        _verdict(board),
        statements,
        _on_test(board, measure),
        leaderboard_html(trials, measure, baselines=baselines, caption=caption),
    )


def _verdict(board: Mapping[str, Any]) -> Markup:
    """What is to be used, why, and what to do next."""
    found = study_verdict(board)
    tone = "pl-good" if found.action in ("use", "use_cheaper", "keep") else "pl-warn"
    return card(
        "Verdict",
        Markup('<p class="pl-study-verdict"><b>{}</b></p>{}').format(
            found.headline, join_markup(note(text) for text in (found.because, found.next) if text)
        ),
        aside=chip(_ACTIONS[found.action], tone if found.trusted else "pl-bad"),
    )


_ACTIONS = {
    "use": "use it",
    "use_cheaper": "use the cheaper one",
    "keep": "keep what was given",
    "none": "not worth using yet",
    "undecided": "undecided",
}


def _on_test(board: Mapping[str, Any], measure: str) -> Markup:
    """The one look at test: the winner, and the paired tests with what it is compared with."""
    best = board.get("best") or {}
    test = best.get("test") or {}
    if not isinstance(test.get(measure), int | float):
        return Markup("")
    ends = test.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
    between = (
        f"95 % interval {format_measure(measure, ends[0])} – {format_measure(measure, ends[1])}"
        if ends
        else ""
    )
    maximise = bool(board.get("maximise", True))
    tests = join_markup(_paired(row, maximise) for row in board.get("comparisons") or ())
    return card(
        "On the untouched test split",
        Markup('<p class="pl-study-test"><b>{}</b> {} {}, {}</p>{}').format(
            format_measure(measure, test[measure]), measure, between, count_text(test), tests
        ),
        aside=str(best.get("name") or ""),
    )


def _paired(row: Mapping[str, Any], maximise: bool) -> Markup:
    """One paired test in a line."""
    p, difference = row.get("p_value"), row.get("difference")
    if not isinstance(p, int | float) or not isinstance(difference, int | float):
        return Markup("")
    name = str(row.get("baseline"))
    up = (difference > 0) == (maximise or row.get("measure") == "accuracy")
    better = "better than" if up else "worse than"
    verdict = f"{better} {name}" if p < _ALPHA else f"not distinguishable from {name}"
    told = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"  # as in the table
    test = str(row.get("test")).replace("_", " ")
    return Markup('<p class="pl-note">{} {} ({}, {}; {} examples differ)</p>').format(
        chip(verdict, "pl-good" if p < _ALPHA and up else ""),
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


def build_results_section(app: gr.Blocks, context: AppContext, page: gr.Tab) -> None:
    """Lay the section out and connect it."""
    runs = context.runs

    def studies() -> list[str]:
        """Names of the decided studies, the newest first."""
        return decided_studies(runs)

    def leaderboard(name: str) -> dict[str, Any]:
        """The result document of a decided study."""
        return read_leaderboard(runs, name)

    with gr.Row():
        name = gr.Dropdown([], label="Study", scale=4, min_width=200, elem_id="result-choice")
        button = gr.Button("Refresh", scale=0, min_width=140, size="md", elem_id="look-again")
    outcome = StudyResultFiles(context)
    board = board_panel("study-result")
    waiting = html_panel()
    seen, receipt = gr.State(SessionDiff()), receipt_box()
    known = [seen, receipt]
    outputs = [name, board, *outcome.outputs, waiting, seen, receipt]

    def look(seen: SessionDiff, receipt: float | None) -> list[Any]:
        def tell(found: ResultsView) -> list[Any]:
            seen.study = found.chosen
            return [
                seen.changed("names", (found.names, found.chosen), found.listed()),
                seen.changed("board", found.drawn),
                *outcome.updates(seen, found.chosen),
                seen.changed("waiting", found.waiting),
                seen,
            ]

        return seen.poll(lambda: ResultsView.of(runs, seen.study), tell, receipt)

    def chosen(name: str | None, seen: SessionDiff, receipt: float | None) -> list[Any]:
        seen.choose(study=name)
        seen.invalidate("names")  # the page has changed its mark by itself
        return look(seen, receipt)

    on_latest(name.input, chosen, [name, *known], outputs, **DEFAULT_CONCURRENCY)
    on_latest([page.select, button.click], look, known, outputs, **DEFAULT_CONCURRENCY)
    outcome.connect(look, known, outputs)
    api_endpoint(studies)
    api_endpoint(leaderboard)


@dataclass(frozen=True)
class ResultsView:
    """The decided studies, the chosen one drawn, and what is not decided yet."""

    names: list[str]
    chosen: str | None
    drawn: str
    waiting: str

    @classmethod
    def of(cls, runs: Path, name: str | None) -> ResultsView:
        """With ``name`` if it is decided, else with the newest."""
        names = decided_studies(runs)
        chosen = name if name in names else next(iter(names), None)
        begun = undecided_studies(runs)
        waiting = str(note(f"Not decided yet: {', '.join(begun)}.")) if begun else ""
        return cls(names, chosen, _drawn(runs, chosen), waiting)

    def listed(self) -> gr.Dropdown:
        """The list to choose from."""
        return gr.Dropdown(self.names, value=self.chosen)


def _drawn(runs: Path, name: str | None) -> str:
    if name is None:
        return str(note(_nothing(runs)))
    try:
        board = results_html(read_leaderboard(runs, name))
        moment = f"{name} {(runs / name / _BOARD).stat().st_mtime_ns}"
        return str(board) + lineage_panel(str(runs / name), moment)
    except pl.PromptlabError as problem:
        return str(error(problem))


def _nothing(runs: Path) -> str:
    return (
        f"No decided study in {runs} yet. `promptlab study run quickstart` makes one; "
        "look again when it has ended."
    )
