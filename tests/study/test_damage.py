"""Every file of a study's folder in every damage: equal numbers, or the file named; never else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.errors import PromptlabError
from promptlab.events import Events, Warned
from promptlab.models.local import LocalModel
from promptlab.study.export import export_study
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.listing import study_rows
from promptlab.study.report.report import write_report
from promptlab.study.run import StudyRun
from tests.helpers import damaged_studies
from tests.helpers.learning_curve_fixtures import curve_document, method
from tests.helpers.study_fixtures import study_document, write_reviews

_OWN = {"negative": "terrible", "positive": "great"}
_GROUPS = [
    {
        "kind": "template",
        "templates": [
            {"text": "{text} It was {mask}.", "answers": _OWN},
            {"text": "{text} A {mask} one.", "answers": _OWN},
        ],
        "calibration": ["none", "batch"],
    },
]
FILES = (
    "study.yaml", "study.db", "leaderboard.json", "leaderboard.csv", "test.lock.json",
    "predictions/0.jsonl", "predictions/test.jsonl", "failures.jsonl", "unanswered.jsonl",
    "repeats.json", "log.jsonl", "checksums.json", "report.html", "best/predictor.json",
)  # fmt: skip
_REFUSED = re.compile(
    "another configuration|has changed since|different: |rests on something else than before"
)
"""How a record that can be read and says something else is told."""
_READ_BY_RUN = (
    "study.yaml", "study.db", "leaderboard.json", "test.lock.json", "predictions/0.jsonl",
    "predictions/test.jsonl", "checksums.json", "log.jsonl",
)  # fmt: skip
CASES = [(name, one) for name in FILES for one in damaged_studies.damages_of(Path(name))]
EVERY = 7
"""Of the cases that stand apart one in so many is tried each time, and all of them by hand."""


def _shown() -> list[Any]:
    """The cases; most are nightly, for each reads the whole folder."""
    nightly = pytest.mark.nightly
    return [
        pytest.param(*case, marks=() if place % EVERY == 0 else nightly)
        for place, case in enumerate(CASES)
    ]


class Kept:
    """A decided study in a folder of its own, and its result."""

    def __init__(self, root: Path, model: LocalModel, make: Callable[..., Any], spec: Any) -> None:
        self.root, self.model, self.make, self.spec = root, model, make, spec
        self.heard: list[str] = []
        self.board = self.run(root / "runs")
        self.heard.clear()
        self.folder = root / "runs" / spec.study

    def run(self, out: Path) -> dict[str, Any]:
        events = Events(
            lambda e: self.heard.append(str(e.message)) if isinstance(e, Warned) else None
        )
        found: dict[str, Any] = self.make(self.spec, out=out, model=self.model, events=events).run()
        return found


@pytest.fixture(scope="module")
def kept(masked: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    root = tmp_path_factory.mktemp("kept")
    data = write_reviews(root / "reviews.csv")
    task = {"data": str(data), "train": 12, "dev": 12, "test": 12}
    document = study_document(data, task=task, candidates=_GROUPS, budget={"trials": 4})
    return Kept(root, masked, StudyRun, pl.load_spec(document, source="test"))


def numbers(board: dict[str, Any]) -> dict[str, Any]:
    """All of a result that says how good a candidate is."""
    best = board["best"]
    return {
        "best": (best["number"], best["name"], best["dev"], best["test"]),
        "trials": {
            row["number"]: (row["name"], row["state"], row["dev"]) for row in board["trials"]
        },
        "verdict": board["verdict"]["action"],
        "comparisons": board["comparisons"],
    }


def looked_at(folder: Path, out: Path) -> dict[str, Callable[[], Any]]:
    """Everything that reads a study's folder."""
    study = pl.Study(folder)
    return {
        "progress": study.progress,
        "log": study.log,
        "leaderboard": study.leaderboard,
        "predictions": study.predictions,
        "of a trial": lambda: study.predictions(0),
        "failures": study.failures,
        "learned": study.learned,
        "report": lambda: write_report(folder),
        "json": lambda: export_study(folder, out / "a.json"),
        "csv": lambda: export_study(folder, out / "a.csv"),
        "jsonl": lambda: export_study(folder, out / "a.jsonl"),
        "compare": lambda: pl.compare_studies([folder]),
        "rows": lambda: study_rows(folder.parent),
    }


@pytest.mark.parametrize(("name", "harm"), _shown(), ids=lambda one: getattr(one, "__name__", one))
def test_a_damaged_file(
    kept: Kept, name: str, harm: damaged_studies.Damage, tmp_path: Path
) -> None:
    folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
    before = numbers(kept.board)
    harm(folder / name)
    for what, look in looked_at(folder, tmp_path).items():
        try:
            found = look()
        except PromptlabError as error:
            gone = harm in (
                damaged_studies.missing,
                damaged_studies.dangling,
                damaged_studies.looping,
            )
            told = str(error)
            sums = name == "checksums.json" and "checksum" in told
            assert Path(name).name in told or sums or (gone and str(folder) in told), (what, told)
            continue
        if what == "leaderboard":
            assert numbers(found) == before
        if what == "predictions":
            assert found.labels == pl.Study(kept.folder).predictions().labels
        if what == "of a trial":
            assert found.labels == pl.Study(kept.folder).predictions(0).labels
        if what == "json":
            assert numbers(json.loads((tmp_path / "a.json").read_text())) == before
        if what == "csv":
            assert (tmp_path / "a.csv").read_bytes() == (
                kept.folder / "leaderboard.csv"
            ).read_bytes()
        if what == "rows":
            states = {row["name"]: row["state"] for row in found if row["path"] == str(folder)}
            assert set(states.values()) <= {"decided", "damaged", "unfinished"}
    if name in _READ_BY_RUN:
        again(kept, name, tmp_path, before)


def again(kept: Kept, name: str, tmp_path: Path, before: dict[str, Any]) -> None:
    """`study run` on the damaged folder, the result taken away if it is not what is damaged."""
    folder = tmp_path / "runs" / kept.spec.study
    if name not in ("leaderboard.json", "checksums.json"):
        (folder / "leaderboard.json").unlink()
    kept.heard.clear()
    try:
        board = kept.run(tmp_path / "runs")
    except PromptlabError as error:
        assert Path(name).name in str(error) or _REFUSED.search(str(error)), error
    else:
        assert numbers(board) == before
        lock = json.loads((folder / "test.lock.json").read_text())
        assert (
            lock["candidate"]
            == json.loads((kept.folder / "test.lock.json").read_text())["candidate"]
        )


def test_predictions_of_a_trial_are_made_again_and_told(kept: Kept, tmp_path: Path) -> None:
    for harm in (
        damaged_studies.row_missing,
        damaged_studies.one_bit,
        damaged_studies.missing,
        damaged_studies.values_changed,
    ):
        folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
        harm(folder / "predictions" / "1.jsonl")
        (folder / "leaderboard.json").unlink()
        kept.heard.clear()
        assert numbers(kept.run(tmp_path / "runs")) == numbers(kept.board)
        assert any("trial 1 is judged again" in text for text in kept.heard), kept.heard
        assert any("predictions/1.jsonl" in text for text in kept.heard)
        (folder / "leaderboard.json").unlink()
        kept.heard.clear()
        assert numbers(kept.run(tmp_path / "runs")) == numbers(kept.board)
        assert not any("judged again" in text for text in kept.heard), kept.heard


def test_a_damaged_lock_gives_no_second_look_at_test(kept: Kept, tmp_path: Path) -> None:
    """The storage knows it, too; with both gone nothing is decided."""
    folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
    (folder / "leaderboard.json").unlink()
    damaged_studies.garbage(folder / "test.lock.json")
    kept.heard.clear()
    assert numbers(kept.run(tmp_path / "runs")) == numbers(kept.board)
    assert any("test.lock.json" in text for text in kept.heard)
    for harm in (
        damaged_studies.missing,
        damaged_studies.garbage,
        damaged_studies.null,
        damaged_studies.values_changed,
    ):
        folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
        for name in ("study.db", "leaderboard.json"):
            (folder / name).unlink()
        harm(folder / "test.lock.json")
        with pytest.raises(pl.InputError, match=r"test\.lock\.json|spent on trial"):
            kept.run(tmp_path / "runs")


def test_a_lost_storage_is_told_and_its_trials_are_tried_again(kept: Kept, tmp_path: Path) -> None:
    folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
    for name in ("study.db", "leaderboard.json"):
        (folder / name).unlink()
    kept.heard.clear()
    assert numbers(kept.run(tmp_path / "runs"))["best"] == numbers(kept.board)["best"]
    assert any("knows none of the 4 trials" in text for text in kept.heard), kept.heard


def test_work_without_the_file_that_says_what_it_is_of(kept: Kept, tmp_path: Path) -> None:
    folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
    (folder / "study.yaml").unlink()
    with pytest.raises(pl.InputError, match=r"predictions and no study\.yaml"):
        kept.run(tmp_path / "runs")


def test_one_damaged_folder_leaves_the_others_in_the_list(kept: Kept, tmp_path: Path) -> None:
    damaged_studies.copied(kept.folder, tmp_path / "whole")
    broken = damaged_studies.copied(kept.folder, tmp_path / "broken")
    damaged_studies.garbage(broken / "leaderboard.json")
    states = {row["name"]: row["state"] for row in study_rows(tmp_path)}
    assert (states["whole"], states["broken"]) == ("decided", "damaged")


def test_folders_of_earlier_versions_are_read(kept: Kept, tmp_path: Path) -> None:
    folder = damaged_studies.copied(kept.folder, tmp_path / "runs" / kept.spec.study)
    (folder / "checksums.json").unlink()
    assert numbers(pl.Study(folder).leaderboard()) == numbers(kept.board)
    assert pl.Study(folder).predictions(0).labels == pl.Study(kept.folder).predictions(0).labels
    assert numbers(kept.run(tmp_path / "runs")) == numbers(kept.board)


CELL_FILES = ("cells/method-1-13.json", "cells/method-1-13.jsonl")


@pytest.fixture(scope="module")
def curve(masked: LocalModel, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    root = tmp_path_factory.mktemp("curve")
    data = write_reviews(root / "reviews.csv")
    document = curve_document(data, sizes=[1, 2], seeds=[13], methods=[method(name="method")])
    document.pop("baseline", None)
    return Kept(root, masked, CurveRun, pl.load_spec(document, source="test"))


@pytest.mark.parametrize("name", CELL_FILES)
def test_a_damaged_cell(curve: Kept, name: str, tmp_path: Path) -> None:
    def values(board: dict[str, Any]) -> Any:
        keys = ("method", "size", "seed", "state", "n", "value")
        return [{key: cell[key] for key in keys} for cell in board["cells"]], board["statements"]

    for harm in damaged_studies.damages_of(Path(name)):
        folder = damaged_studies.copied(curve.folder, tmp_path / "runs" / curve.spec.study)
        harm(folder / name)
        assert pl.Study(folder).progress()["state"] == "decided"
        (folder / "leaderboard.json").unlink()
        curve.heard.clear()
        board = curve.run(tmp_path / "runs")
        assert values(board) == values(curve.board), harm
        gone = harm in (damaged_studies.missing, damaged_studies.dangling, damaged_studies.looping)
        gone = gone or (harm == damaged_studies.one_bit and name.endswith(".json"))  # may be a time
        assert gone or any("is computed again" in text for text in curve.heard), harm
