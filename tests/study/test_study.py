"""A study by its folder: what it tells when it is decided, has just begun, or is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.events import Step
from promptlab.models.local import LocalModel
from promptlab.study import StudyRun
from promptlab.study.folder import step_log
from promptlab.study.folder.step_log import StepLog
from tests.helpers.study_fixtures import study_document, write_reviews


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, causal: LocalModel) -> pl.Study:
    """A small decided study."""
    folder = tmp_path_factory.mktemp("decided")
    document = study_document(write_reviews(folder / "reviews.csv"), budget={"trials": 4})
    document["candidates"] = document["candidates"][:1]
    spec: Any = pl.load_spec(document, source="reviews")
    StudyRun(spec, out=folder / "runs", model=causal).run()
    return pl.Study(folder / "runs" / "reviews")


@pytest.fixture
def begun(tmp_path: Path) -> pl.Study:
    """A folder in which nothing but its study is written."""
    folder = tmp_path / "begun"
    folder.mkdir()
    (folder / "study.yaml").write_text("study: begun\n", encoding="utf-8")
    return pl.Study(folder)


def test_a_decided_study_tells_everything(decided: pl.Study, causal: LocalModel) -> None:
    board = decided.leaderboard()
    assert decided.decided and decided.name == board["study"] == "reviews"
    assert decided.progress()["state"] == "decided"
    assert decided.log(tail=1)[0]["event"] == "StudyFinished" and len(decided.log()) > 1
    assert decided.learned() == []
    number = board["best"]["number"]
    assert len(decided.predictions(number)) == 30
    tested = decided.predictions()
    assert len(tested) == 40
    assert sum(tested.correct) / 40 == pytest.approx(board["best"]["test"]["accuracy"])
    assert type(decided.best(causal)).__name__ == "PromptClassifier"
    assert len(decided.failures().failures) == decided.predictions(number).correct.count(False)
    assert list(decided.figures(["history", "pareto"])) == ["history", "pareto"]
    assert decided.changes(decided) == []
    assert "reviews" in repr(decided)


@pytest.mark.parametrize(
    "ask",
    [
        pl.Study.progress, pl.Study.log, pl.Study.leaderboard, pl.Study.learned, pl.Study.figures,
        pl.Study.predictions, pl.Study.best, pl.Study.failures, lambda one: one.steps(0),
        lambda one: one.predictions(3), lambda one: one.changes(one),
    ],
)  # fmt: skip
def test_without_a_study_the_folder_and_what_to_do_are_told(
    ask: Callable[[pl.Study], Any], tmp_path: Path
) -> None:
    with pytest.raises(pl.InputError, match=r"nowhere.*`promptlab study list`"):
        ask(pl.Study(str(tmp_path / "nowhere")))


def test_before_the_decision(begun: pl.Study) -> None:
    assert not begun.decided and begun.log() == [] and begun.learned() == []
    for ask in (begun.leaderboard, begun.predictions, begun.best, begun.failures):
        with pytest.raises(pl.InputError, match="is not decided yet; `promptlab study run`"):
            ask()
    with pytest.raises(pl.InputError, match="no predictions of trial 2; `promptlab study show"):
        begun.predictions(2)
    with pytest.raises(pl.InputError, match=r"trial 0 .* trials that have are none yet"):
        begun.steps(0)


def test_a_learning_curve_has_no_winner(begun: pl.Study) -> None:
    board = {"kind": "learning_curve", "cells": []}
    (begun.path / "leaderboard.json").write_text(json.dumps(board), encoding="utf-8")
    for ask, told in (
        (begun.best, "no winner: a learning curve"),
        (begun.predictions, "no winner that was tested"),
        (begun.failures, "no failure log"),
    ):
        with pytest.raises(pl.InputError, match=told):
            ask()


def test_a_broken_leaderboard_is_told(begun: pl.Study) -> None:
    (begun.path / "leaderboard.json").write_text("{", encoding="utf-8")
    with pytest.raises(pl.InputError, match=r"leaderboard\.json is no JSON document .*study run"):
        begun.leaderboard()


def test_steps_are_read_again_only_when_there_are_more(
    begun: pl.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []
    read = step_log.read_steps

    def counted(path: Path) -> list[dict[str, Any]]:
        reads.append(path)
        return read(path)

    monkeypatch.setattr(step_log, "read_steps", counted)
    log = StepLog(begun.path / "steps")
    log(Step(3, 0, {"loss": 1.0}))
    for _ in range(3):
        assert [row["step"] for row in pl.Study(begun.path).steps(3)] == [0]
    assert len(reads) == 1 and begun.learned() == [3]
    log(Step(3, 1, {"loss": 0.5}))
    assert [row["step"] for row in pl.Study(begun.path).steps(3)] == [0, 1]
    assert len(reads) == 2


def test_a_notebook_shows_the_leaderboard_with_every_text_escaped(tmp_path: Path) -> None:
    assert pl.Study(tmp_path / "<b>")._repr_html_().count("<") == 2
    row = {"number": 3, "kind": "template", "name": "<script>", "dev": {"accuracy": 0.5}}
    board = {"study": "<i>", "objective": "accuracy", "trials": [row]}
    (tmp_path / "leaderboard.json").write_text(json.dumps(board))
    shown = pl.Study(tmp_path)._repr_html_()
    assert "&lt;script&gt;" in shown and "&lt;i&gt;" in shown
    assert "<script>" not in shown and "<td>0.500</td>" in shown
