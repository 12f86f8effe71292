"""The tab *Learn*: what a study's trial has learned so far, step by step, while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.events import api
from markupsafe import Markup

import promptlab as pl

from .curves import curve
from .drawing import error, grid, joined, note, panel
from .workbench import Workbench, told

_SECONDS = 2.0
"""Between two looks at a running trial."""
_MOST_ROWS = 40
Steps = Sequence[Mapping[str, Any]]


def learning(runs: Path) -> list[str]:
    """Names of the studies in which something has been learned, the latest first."""
    found: dict[str, float] = {}
    for path in runs.glob("*/steps/*.jsonl"):
        name = path.parent.parent.name
        found[name] = max(found.get(name, 0.0), path.stat().st_mtime)
    return sorted(found, key=lambda name: (-found[name], name))


def trials(runs: Path, name: str) -> list[int]:
    """Numbers of the trials of a study that have taken steps; `InputError` for other names."""
    if name not in learning(runs):
        raise pl.InputError(f"{runs} holds no study named {name!r} in which something was learned")
    files = (runs / name / "steps").glob("*.jsonl")
    return sorted(int(path.stem) for path in files if path.stem.isdigit())


def read(runs: Path, name: str, trial: int) -> list[dict[str, Any]]:
    """The steps of a trial so far. Raises `InputError` for a study or a trial without any."""
    if trial not in trials(runs, name):
        raise pl.InputError(f"trial {trial} of {name!r} has taken no steps")
    steps: list[dict[str, Any]] = pl.read_steps(runs / name / "steps" / f"{trial}.jsonl")
    return steps


def draw(steps: Steps) -> Markup:
    """Loss and dev score by step, the words of now, and how they came."""
    if not steps:
        return note("No step has been taken yet.")
    loss, dev = _points(steps, "loss"), _points(steps, "dev")
    best = max(dev, key=lambda point: point[1], default=None)
    told = f"{steps[-1]['step']} steps"
    if best is not None:
        told += f", the best dev score {best[1]:.4g} at step {best[0]:.0f}"
    drawn = [
        curve("training loss, nats", loss),
        curve("dev score, larger is better", dev, tone="pl-dev"),
    ]
    return note(f"{told}.") + grid(one for one in drawn if one) + _words(steps)


def _points(steps: Steps, key: str) -> list[tuple[float, float]]:
    found = [(float(row["step"]), (row.get("values") or {}).get(key)) for row in steps]
    return [
        (step, float(value))
        for step, value in found
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _words(steps: Steps) -> Markup:
    """Trigger tokens or nearest words, the latest first; what changed is marked."""
    known = [row for row in steps if (row.get("notes") or {}).get("words")]
    if not known:
        return Markup("")
    rows = []
    for before, row in zip([None, *known], known, strict=False):
        old = str(before["notes"]["words"]).split() if before else []
        rows.append(_row(row, old))
    latest = list(reversed(rows))[:_MOST_ROWS]
    searched = any(row["notes"].get("tokens") for row in known)
    title = "Tokens found" if searched else "Nearest words of the learned vectors"
    return Markup(
        '<table class="pl-board pl-steps"><caption>{}, the latest first; what changed is marked'
        "</caption><thead><tr><th>step</th><th>words</th><th>loss</th><th>dev</th></tr></thead>"
        "<tbody>{}</tbody></table>{}"
    ).format(
        title,
        joined(latest),
        note(f"{len(rows) - len(latest)} earlier steps are left out.") if rows[_MOST_ROWS:] else "",
    )


def _row(row: Mapping[str, Any], before: Sequence[str]) -> Markup:
    words = str(row["notes"]["words"]).split()
    same = len(before) == len(words)
    shown = Markup(" ").join(
        Markup("<mark>{}</mark>").format(word)
        if same and before[place] != word
        else Markup("{}").format(word)
        for place, word in enumerate(words)
    )
    values = row.get("values") or {}
    numbers = [_number(values.get(key)) for key in ("loss", "dev")]
    return Markup("<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>").format(
        row["step"], shown, *numbers
    )


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def tab(app: gr.Blocks, bench: Workbench, page: gr.Tab) -> None:
    """Lay the tab out and connect it; it looks again by itself once ``page`` was opened."""
    runs = bench.runs

    def learning_trials(study: str) -> list[int]:
        """Numbers of the trials of a study that have taken steps."""
        try:
            return trials(runs, study)
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def learning_steps(study: str, trial: int) -> list[dict[str, Any]]:
        """The steps of a trial so far: step, values and notes."""
        try:
            return read(runs, study, int(trial))
        except pl.PromptlabError as problem:
            raise told(problem) from problem

    def look(study: str | None, trial: int | None) -> tuple[Any, Any, str]:
        names = learning(runs)
        study = study if study in names else next(iter(names), None)
        if study is None:
            return gr.Dropdown(names), gr.Dropdown([]), str(note(_nothing(runs)))
        try:
            numbers = trials(runs, study)
            trial = trial if trial in numbers else max(numbers)
            drawn = str(draw(read(runs, study, trial)))
        except pl.PromptlabError as problem:
            return gr.Dropdown(names, value=study), gr.Dropdown([]), str(error(problem))
        chosen = gr.Dropdown([(f"trial {n}", n) for n in numbers], value=trial)
        return gr.Dropdown(names, value=study), chosen, drawn

    def again(
        study: str | None, trial: int | None, chosen: bool, last: str
    ) -> tuple[Any, Any, Any, str]:
        """The latest trial until one was chosen; nothing is sent as long as nothing is new."""
        found = look(study, trial) if chosen else look(None, None)
        state = f"{learning(runs)} {found[2]}"
        if state == last:
            return gr.skip(), gr.skip(), gr.skip(), last
        return *found, state

    with gr.Row():
        study = gr.Dropdown([], label="Study", scale=3, min_width=200)
        trial = gr.Dropdown([], label="Trial", scale=1, min_width=120)
        watch = gr.Checkbox(True, label="Watch", scale=0, min_width=120)
    drawn = panel(name="learning")
    last, chosen = gr.State(""), gr.State(False)
    timer = gr.Timer(_SECONDS, active=False)
    shown = [study, trial, drawn]
    gr.on(
        [study.input, trial.input], lambda *picked: (*look(*picked), True),
        [study, trial], [*shown, chosen],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    gr.on(
        [app.load, timer.tick, page.select], again,
        [study, trial, chosen, last], [*shown, last],
        show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    page.select(lambda on: gr.Timer(active=on), watch, timer, api_visibility="private")
    watch.input(lambda on: gr.Timer(active=on), watch, timer, api_visibility="private")
    api(learning_trials, api_name="learning_trials")
    api(learning_steps, api_name="learning_steps")


def _nothing(runs: Path) -> str:
    return (
        f"Nothing has been learned in {runs} yet. A study with the kind soft_prompt, prefix, "
        "triggers or finetune is shown here while it runs."
    )
