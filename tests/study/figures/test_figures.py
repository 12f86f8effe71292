"""Figures of a study: whatever state it is in, something readable and harmless is drawn."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from typer.testing import CliRunner

import promptlab as pl
from promptlab.study.figures.figures import FIGURES

pytest.importorskip("plotly")

HOSTILE = '<a href="javascript:alert(1)">x</a><b>%{x} template that goes on for very, very long'
TEMPLATES = ("short", HOSTILE, "{text} It was {mask}. And so on, and so forth, to the end.")


RECORD = {
    "study": "tried",
    "task": {"data": "sst2"},
    "model": {"name": "smollm2-135m"},
    "candidates": [],
    "resolved": {"hashes": {"study": "0" * 64, "task": "1" * 64}},
}
"""What every version has written into study.yaml."""


def trial(number: int, state: TrialState = TrialState.COMPLETE, **changes: Any) -> FrozenTrial:
    """A trial as a study writes it: a template, and in every third a learning rate."""
    learns = number % 3 == 0
    group = "soft_prompt" if learns else "template"
    params: dict[str, Any] = {"group": group, f"{group}.template": TEMPLATES[number % 3]}
    distributions: dict[str, Any] = {
        "group": CategoricalDistribution(["template", "soft_prompt"]),
        f"{group}.template": CategoricalDistribution(TEMPLATES),
    }
    if learns:
        params["soft_prompt.learning_rate"] = 0.001 * (1 + number)
        distributions["soft_prompt.learning_rate"] = FloatDistribution(1e-4, 1.0, log=True)
    found: dict[str, Any] = {"dev": {"accuracy": 0.5, "ci95": [0.4, 0.6], "n": 30}}
    found |= {"tokens_per_example": 10.0 + number % 4}
    if state != TrialState.COMPLETE:
        found = {"reason": f"broken <script> {HOSTILE}"}
    given: dict[str, Any] = {
        "params": params,
        "distributions": distributions,
        "values": [0.5 + 0.01 * (number * 7 % 11)] if state == TrialState.COMPLETE else None,
        "user_attrs": {"asked": {"name": f"{HOSTILE} {number}"}, "found": found},
    }
    return create_trial(state=state, **given | changes)


def study(
    folder: Path,
    trials: list[FrozenTrial],
    directions: tuple[str, ...] = ("maximize",),
    **document: Any,
) -> Path:
    """A study's folder with trials in its storage."""
    folder.mkdir()
    (folder / "study.yaml").write_text(yaml.safe_dump(RECORD | document))
    made = optuna.create_study(
        study_name="tried",
        storage=f"sqlite:///{folder / 'study.db'}",
        directions=list(directions),
    )
    made.add_trials(trials)
    return folder


def texts(figure: Any) -> list[str]:
    """Everything that Plotly would read as text."""
    found = [note.text for note in figure.layout.annotations]
    found += [note.hovertext for note in figure.layout.annotations]
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        found += [*list(axis.ticktext or ()), axis.title.text]
    for trace in figure.data:
        templates = trace.hovertemplate
        found += [templates] if isinstance(templates, str) else list(templates or ())
        for row in trace.customdata if trace.customdata is not None else ():
            found += [row] if isinstance(row, str) else list(row)
        found += [*list(trace.text or ()), trace.name]
    return [text for text in found if text]


def missing(figure: Any) -> str:
    return str(figure.layout.meta["missing"])


def test_a_search_is_drawn_with_its_pruned_and_failed_trials(tmp_path: Path) -> None:
    states = {5: TrialState.FAIL, 7: TrialState.PRUNED, 9: TrialState.RUNNING}
    rows = [trial(number, states.get(number, TrialState.COMPLETE)) for number in range(12)]
    found = pl.Study(study(tmp_path / "run", rows)).figures()
    assert tuple(found) == FIGURES
    assert all(figure.layout.meta == {"finished": 11, "missing": ""} for figure in found.values())
    history = {trace.name: trace for trace in found["history"].data}
    assert list(history) == ["trial", "best so far", "pruned", "failed"]
    assert list(history["trial"].x) == [0, 1, 2, 3, 4, 6, 8, 10, 11]
    assert list(history["pruned"].x) == [7] and list(history["failed"].x) == [5]
    assert history["best so far"].y[-1] == max(history["trial"].y)
    assert len(found["parallel"].data) == 9
    axes = [text.lower() for text in found["parallel"].layout.xaxis.ticktext]
    assert axes == ["accuracy", "group", "learning rate", "template"]  # the longest texts are last
    assert "not set" in [note.text for note in found["parallel"].layout.annotations]
    heights = [trace.y[0] for trace in found["parallel"].data]
    assert heights == sorted(heights)
    front = found["pareto"].data[1]
    assert front.name == "Pareto front" and list(front.x) == sorted(front.x)
    assert found["pareto"].layout.xaxis.title.text == "tokens an example"
    assert len(found["importances"].data[0].x) == 4


def test_names_stay_texts_and_long_ones_are_shortened(tmp_path: Path) -> None:
    found = pl.Study(study(tmp_path / "run", [trial(number) for number in range(8)])).figures()
    for figure in found.values():
        for text in texts(figure):
            rest = text
            for own in ("<br>", "<b>%{y:.4g}</b>", "<extra></extra>", "</span>"):
                rest = rest.replace(own, "")
            rest = rest.replace('<span style="font-size:11px">', "")
            assert "<" not in rest, text
    notes = found["parallel"].layout.annotations
    assert all(len(note.text) < 60 for note in notes)
    whole = " ".join(note.hovertext for note in notes).replace("<br>", " ")
    assert "It was {mask}. And so on, and so forth, to the end." in whole
    dots = found["history"].data[0]
    assert "%{x}" not in dots.hovertemplate and any("%{x}" in text for text in dots.customdata)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "study.yaml").write_text(yaml.safe_dump(RECORD | {"study": "begun"}))
    assert "no trial has begun" in missing(pl.Study(begun).figures()["history"])
    (begun / "leaderboard.json").write_text("{}")
    assert "another storage" in missing(pl.Study(begun).figures()["pareto"])
    none = study(tmp_path / "none", [trial(0, TrialState.FAIL)])
    assert "No trial is complete yet (1 finished)" in missing(pl.Study(none).figures()["parallel"])
    few = pl.Study(study(tmp_path / "few", [trial(0), trial(1)])).figures()
    assert "need 4 complete trials; there are 2" in missing(few["importances"])
    assert not missing(few["history"]) and not missing(few["parallel"])
    same = [trial(number, values=[0.5]) for number in range(6)]
    found = pl.Study(study(tmp_path / "same", same)).figures()
    assert "same value" in missing(found["importances"])
    single = [trial(n, params={}, distributions={}) for n in range(2)]
    told = pl.Study(study(tmp_path / "single", single)).figures()
    assert "single candidate" in missing(told["parallel"]) and not missing(told["history"])
    curve = study(tmp_path / "curve", [], kind="learning_curve")
    assert "cells" in missing(pl.Study(curve).figures()["history"])


@pytest.mark.parametrize("count", [2, 3])
def test_several_objectives_have_their_own_front(tmp_path: Path, count: int) -> None:
    names = ["accuracy", "tokens", "seconds"][:count]
    rows = [trial(n, values=[0.5 + n / 10, 10.0 * n + 1, 2.0 - n][:count]) for n in range(5)]
    directions = ("maximize", "minimize", "minimize")[:count]
    found = pl.Study(study(tmp_path / "run", rows, directions, objectives=names)).figures()
    pareto = found["pareto"]
    assert pareto.layout.yaxis.title.text == "accuracy"
    assert pareto.layout.xaxis.title.text == "tokens"
    assert sorted(pareto.data[1].x) == [1, 11, 21, 31, 41]
    assert list(found["history"].data[1].y)[-1] == pytest.approx(0.9)


def test_a_repeated_trial_costs_what_the_first_one_did(tmp_path: Path) -> None:
    again = trial(2, user_attrs={"asked": {"name": "again"}, "found": {"repeats": 0}})
    found = pl.Study(study(tmp_path / "run", [trial(0), trial(1), again])).figures(["pareto"])
    across = [value for trace in found["pareto"].data for value in trace.x or ()]
    assert sorted(across) == [10.0, 10.0, 11.0]


def test_what_is_no_study_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pl.InputError, match="there is no study in"):
        pl.Study(tmp_path).figures()
    run = study(tmp_path / "run", [trial(0)])
    with pytest.raises(pl.InputError, match="no figure 'pie'"):
        pl.Study(run).figures(["pie"])
    with pytest.raises(pl.InputError, match="holds no study named 'tried'"):
        pl.Study(run).figures(storage=f"sqlite:///{tmp_path / 'other.db'}")
    assert pl.Study(run).figures(["history"], storage=f"sqlite:///{run / 'study.db'}")
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(pl.InputError, match=r"promptlab-workbench\[ui\]"):
        pl.Study(run).figures()


def test_a_storage_with_a_damaged_row_is_named(tmp_path: Path) -> None:
    run = study(tmp_path / "run", [trial(0)])
    with sqlite3.connect(run / "study.db") as storage:
        storage.execute("UPDATE trial_user_attributes SET value_json = '{\"a'")
    storage.close()
    with pytest.raises(pl.InputError, match=r"study\.db holds what no study has written"):
        pl.Study(run).figures(["history"])


def test_the_command_writes_one_file_that_needs_no_network(tmp_path: Path) -> None:
    from promptlab.cli.study import app

    run = study(tmp_path / "<run>", [trial(number) for number in range(5)])
    target = tmp_path / "drawn.html"
    given = ["plot", str(run), "--out", str(target), "--what", "history", "--what", "pareto"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    page = target.read_text(encoding="utf-8")
    assert "Optimisation history" in page and "Parallel" not in page.partition("<body>")[2][:200]
    assert "<h1>&lt;run&gt;</h1>" in page
    assert "<script src" not in page and 'src="http' not in page
