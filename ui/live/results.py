"""The section *Results*: decided studies with leaderboard, intervals and the result in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from markupsafe import Markup

import promptlab as pl

from ..drawing import chip, error, joined, note, panel, share_text, whisker
from ..workbench import Workbench, told

_MOST_ROWS = 200
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
    try:
        board: dict[str, Any] = pl.read_leaderboard(runs / name)
    except ValueError as problem:
        raise pl.InputError(f"{runs / name / _BOARD} is no JSON document: {problem}") from problem
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
    rows = [_trial(rank, row, measure) for rank, row in enumerate(trials[:_MOST_ROWS], 1)]
    compared = {row["baseline"] for row in board.get("comparisons") or () if "why" in row}
    for row in board.get("baselines") or ():
        rows.append(_baseline(row, measure, "compared" if row["name"] in compared else "control"))
    left = len(trials) - _MOST_ROWS
    return Markup(
        '{}<ul class="pl-told">{}</ul><table class="pl-board">'
        "<caption>Trials on dev, best first, with 95&nbsp;% intervals; a name opens its prompt"
        "</caption><thead><tr><th>#</th><th>prompt</th><th>{}</th>"
        '<th class="pl-wide">0 to 1</th><th>against the best</th><th class="pl-wide">tokens</th>'
        "</tr></thead><tbody>{}</tbody></table>{}"
    ).format(
        note(_about(board)),
        statements,
        measure,
        joined(rows),
        note(f"{left} more trials are in leaderboard.csv.") if left > 0 else "",
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


def _trial(rank: int, row: Mapping[str, Any], measure: str) -> Markup:
    complete = row.get("state") == "complete"
    name = str(row.get("name") or f"trial {row.get('number')}")
    return _line(
        str(rank) if complete else "",
        Markup("{} {}").format(chip(str(row.get("kind") or "")), name),
        row.get("reason") or row.get("prompt"),
        row.get("dev") or {},
        measure,
        _standing(rank, row) if complete else chip(str(row.get("state"))),
        row.get("tokens_per_example"),
    )


def _baseline(row: Mapping[str, Any], measure: str, role: str) -> Markup:
    name = Markup("{} {}").format(chip(role), row.get("name"))
    return _line("", name, row.get("note"), row.get("dev") or {}, measure, Markup(""), None)


def _standing(rank: int, row: Mapping[str, Any]) -> Markup:
    p = row.get("p_vs_best")
    if rank == 1:
        return chip("best on dev", "pl-good")
    if not isinstance(p, int | float):
        return Markup("")
    told = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    if row.get("distinguishable"):
        return chip(f"worse, {told}", "pl-bad")
    return chip(f"not distinguishable, {told}")


def _line(
    rank: str,
    name: str,
    detail: Any,
    scores: Mapping[str, Any],
    measure: str,
    standing: Markup,
    tokens: Any,
) -> Markup:
    value, ends = scores.get(measure), _interval(scores, measure)
    text, drawn = "", Markup("")
    if isinstance(value, int | float):
        text = _shown(measure, value)
        if ends and 0 <= ends[0] <= ends[1] <= 1:
            drawn = whisker(value, *ends, f"{text}, 95 % interval {ends[0]:.3f} to {ends[1]:.3f}")
    between = f"{_shown(measure, ends[0])} – {_shown(measure, ends[1])}" if ends else ""
    return Markup(
        '<tr><td>{}</td><td><details><summary>{}</summary><pre class="pl-prompt">{}</pre></details>'
        '</td><td><b>{}</b><small>{}</small></td><td class="pl-wide">{}</td><td>{}</td>'
        '<td class="pl-wide">{}</td></tr>'
    ).format(
        rank,
        name,
        detail or "",
        text,
        between,
        drawn,
        standing,
        f"{tokens:.1f}" if isinstance(tokens, int | float) else "",
    )


def _interval(scores: Mapping[str, Any], measure: str) -> tuple[float, float] | None:
    ends = scores.get("ci95" if measure == "accuracy" else f"{measure}_ci95")
    return (float(ends[0]), float(ends[1])) if ends and None not in ends else None


def _shown(measure: str, value: float) -> str:
    return share_text(value) if measure != "matthews" and 0 <= value <= 1 else f"{value:.3f}"


def section(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the section out and connect it."""
    runs = bench.runs

    def studies() -> list[str]:
        """Names of the decided studies, the newest first."""
        return decided(runs)

    def leaderboard(name: str) -> dict[str, Any]:
        """The result document of a decided study."""
        try:
            return read_board(runs, name)
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def show(name: str | None) -> str:
        if name is None:
            return str(note(_nothing(runs)))
        try:
            return str(draw(read_board(runs, name)))
        except pl.PromptlabError as problem:
            return str(error(problem))

    def refresh(name: str | None) -> tuple[Any, str, str]:
        names = decided(runs)
        chosen = name if name in names else next(iter(names), None)
        waiting = undecided(runs)
        told = f"Not decided yet: {', '.join(waiting)}." if waiting else ""
        return gr.Dropdown(names, value=chosen), show(chosen), str(note(told)) if told else ""

    with gr.Row():
        name = gr.Dropdown([], label="Study", scale=4, min_width=200)
        button = gr.Button("Look again", scale=0, min_width=140, size="md", elem_id="look-again")
    board = panel(name="study-result")
    waiting = panel()
    name.input(show, name, board, api_visibility="private")
    gr.on([app.load, button.click], refresh, name, [name, board, waiting], api_visibility="private")
    api(studies, api_name="studies")
    api(leaderboard, api_name="leaderboard")


def _nothing(runs: Path) -> str:
    return (
        f"No decided study in {runs} yet. `promptlab study run quickstart` makes one; "
        "look again when it has ended."
    )
