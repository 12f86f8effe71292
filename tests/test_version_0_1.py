"""Folders that version 0.1 wrote are read, and give the same numbers.

``version_0_1.zip`` holds a tiny model, a saved predictor of every kind over it with what it
predicted (``expected.json``), a decided study and one that was stopped, as that version left them.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from tests.helpers.command_line import Command, command, here

__all__ = ["command", "here"]
ARCHIVE = Path(__file__).with_suffix("").with_name("version_0_1.zip")
TEXTS = ["a gorgeous film .", "a dull film ."]
NAMES = (
    "cascade", "chain", "classifier", "consistency", "demonstrations", "ensemble", "generator",
    "head", "knowledge", "lora", "mixture", "nearest", "prefix", "retrieval", "soft", "spans",
    "thought", "tree", "triggers", "tuned",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the archive holds."""
    path = tmp_path_factory.mktemp("version_0_1")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    """The tiny model."""
    return pl.load_model(str(folder / "model"), device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    """What each saved predictor said of `TEXTS`."""
    return json.loads((folder / "expected.json").read_text(encoding="utf-8"))


def test_every_saved_predictor_is_tried(folder: Path, expected: dict[str, Any]) -> None:
    assert set(NAMES) == set(expected) == {p.name for p in (folder / "predictors").iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_predictor(name: str, folder: Path, model: Any, expected: dict[str, Any]) -> None:
    wanted = expected[name]
    rows = pl.load(folder / "predictors" / name, model).predict(TEXTS)
    assert [row.label for row in rows] == wanted["labels"]
    for row, scores in zip(rows, wanted["scores"], strict=True):
        assert (row.scores is None) == (scores is None)
        if scores is not None:
            assert dict(row.scores or {}) == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_saved_under_the_names_it_had(
    name: str, folder: Path, model: Any, tmp_path: Path
) -> None:
    """An earlier version can read what this one writes."""
    saved = folder / "predictors" / name
    pl.load(saved, model).save(tmp_path / name)
    before, after = (
        json.loads((place / "predictor.json").read_text(encoding="utf-8"))
        for place in (saved, tmp_path / name)
    )
    assert after["predictor"] == before["predictor"]
    assert set(after["settings"]) == set(before["settings"])


def test_a_decided_study(folder: Path, command: Command) -> None:
    study = pl.Study(folder / "runs" / "reviews")
    board = study.leaderboard()
    assert study.progress()["state"] == "decided"
    assert len(board["trials"]) == 20 and board["best"]["number"] == 12
    assert study.log()
    shown = command("study", "show", study.path, "--json")
    assert shown.code == 0, shown.err
    assert json.loads(shown.out)["best"] == board["best"]
    assert command("study", "report", study.path).code == 0
    assert (study.path / "report.html").is_file()


def test_the_winner_of_a_decided_study(folder: Path, model: Any) -> None:
    best = pl.load(folder / "runs" / "reviews" / "best", model)
    rows = best.predict(TEXTS)
    assert [row.label for row in rows] and all(row.scores for row in rows)


def test_a_stopped_study_goes_on(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its finished trials stay as they are, and those that are left are tried."""
    monkeypatch.chdir(folder)
    predictions = folder / "runs" / "stopped" / "predictions"
    kept = {path.name: path.read_bytes() for path in predictions.glob("*.jsonl")}
    assert kept
    done = command("study", "run", "stopped.yaml", "--out", "runs", stays=True)
    if done.code:  # another version of promptlab, or of what computes
        assert done.code == 2 and "--accept-changes" in done.err
        changed = ("study", "run", "stopped.yaml", "--out", "runs", "--accept-changes")
        done = command(*changed, stays=True)
    assert done.code == 0, done.err
    assert len(pl.Study(folder / "runs" / "stopped").leaderboard()["trials"]) == 14
    assert {name: (predictions / name).read_bytes() for name in kept} == kept
