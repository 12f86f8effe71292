"""A study that is killed at any write, again and again, ends exactly as an undisturbed one."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptlab.models.local import LocalModel
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.trials.ownership import belongs_to
from tests.helpers.interrupted_studies import (
    Killed,
    Place,
    differences,
    killed_often,
    switched,
    whole,
)
from tests.helpers.learner_fixtures import WORDS, Learner
from tests.helpers.study_fixtures import study_document, write_reviews

ALLOWED_CODE = ("tests.helpers",)
DRAWN: dict[str, Any] = {
    "candidates": [{"kind": "tests.helpers.interrupted_studies:Drawn"}],
    "batch": 4,
}
ALL: dict[str, Any] = {"batch": 5}
CASES: dict[str, dict[str, Any]] = {
    "exhaustive": ALL,
    "exhaustive, median": ALL | {"pruner": "median"},
    "exhaustive, wilcoxon": ALL | {"pruner": "wilcoxon", "block": 1},
    "random": DRAWN | {"sampler": "random", "budget": {"trials": 15}},
    "tpe": DRAWN | {"sampler": "tpe", "budget": {"trials": 24}},
    "tpe, one by one, halving": DRAWN
    | {"sampler": "tpe", "budget": {"trials": 16}, "batch": 1, "pruner": "halving"},
    "tpe, hyperband": DRAWN | {"sampler": "tpe", "budget": {"trials": 24}, "pruner": "hyperband"},
    "gp": DRAWN | {"sampler": "gp", "budget": {"trials": 16}},
    "nsga2": DRAWN  # its first population has fifty
    | {"sampler": "nsga2", "budget": {"trials": 64}, "objectives": ["accuracy", "tokens"]}
    | {"batch": 8, "block": 12},
    "tpe, two objectives": DRAWN
    | {"sampler": "tpe", "budget": {"trials": 20}, "objectives": ["accuracy", "tokens"]},
}


LEARNER: dict[str, Any] = {"kind": "tests.helpers.learner_fixtures:Learner", "room": 2}
TEMPLATES = study_document(Path())["candidates"][0]
SOFT: dict[str, Any] = {
    "kind": "soft_prompt",
    "templates": TEMPLATES["templates"][:1],
    "length": [1, 2],
    "learning_rate": [0.3, 0.03, 0.003],
    "steps": 6,
    "batch_size": [4],
    "evaluate_every": 2,
}
LEARNED: dict[str, dict[str, Any]] = {
    "learners": {"candidates": [LEARNER], "batch": 3},
    "learners and templates": {"candidates": [LEARNER, TEMPLATES], "batch": 3},
    "learners and what follows": {
        "candidates": [{"kind": "tests.helpers.learner_fixtures:Follower"}, LEARNER],
        "batch": 3,
    },
    "learners one by one, median": {
        "candidates": [LEARNER | {"room": 1}],
        "batch": 3,
        "pruner": "median",
    },
    "learners one by one, hyperband": {
        "candidates": [LEARNER | {"room": 1}],
        "batch": 3,
        "pruner": "hyperband",
    },
    "learners, drawn": {
        "candidates": [LEARNER | {"room": 1}],
        "batch": 3,
        "sampler": "tpe",
        "budget": {"trials": 16},
    },
    "soft prompts": {"candidates": [SOFT], "batch": 3},
    "soft prompts, halving": {"candidates": [SOFT], "batch": 3, "pruner": "halving"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.mark.parametrize("case", CASES)
def test_killed_again_and_again(
    case: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Place(data, tmp_path / "undisturbed", **CASES[case])
    board = undisturbed.run()
    place = Place(data, tmp_path / "killed", **CASES[case])
    with switched(monkeypatch) as switch:
        kills = killed_often(place, switch, random.Random(case), 60)
    assert kills > 3
    states = [row["state"] for row in place.rows()]
    assert ("PRUNED" in states) == ("pruner" in CASES[case])
    assert not (found := differences(place.rows(), undisturbed.rows())), found[:9]
    assert whole(place.run()) == whole(board)


@pytest.mark.parametrize("case", LEARNED)
def test_learning_that_is_killed_again_and_again(
    case: str, data: Path, tmp_path: Path, masked: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    Learner.forget()
    Learner.levels.update({word: 0.9 - 0.1 * (n * 5 % 8) for n, word in enumerate(WORDS)})
    undisturbed = Place(data, tmp_path / "undisturbed", model=masked, **LEARNED[case])
    board = undisturbed.run()
    place = Place(data, tmp_path / "killed", model=masked, **LEARNED[case])
    with switched(monkeypatch) as switch:
        kills = killed_often(place, switch, random.Random(case), 60)
    assert kills > 3
    # When a learner had room for one more is not kept: in which batch that came may differ.
    found = differences(place.rows(), undisturbed.rows())
    assert not [each for each in found if each[1] not in ("told", "batch")]
    assert whole(place.run()) == whole(board)
    Learner.forget()


def test_moved_between_the_runs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To another folder, with another working directory, in a storage shared with others, too."""
    undisturbed = Place(data, tmp_path / "undisturbed", **ALL)
    board = undisturbed.run()
    for storage in (None, f"sqlite:///{tmp_path / 'shared.db'}"):
        place = Place(data, tmp_path / "here", storage=storage, **ALL)
        with switched(monkeypatch) as switch:
            switch.arm(100)
            with pytest.raises(Killed):
                place.run(switch)
        shutil.move(tmp_path / "here", tmp_path / "there")
        (tmp_path / "cwd").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "cwd")
        moved = Place(data, Path(os.path.relpath(tmp_path / "there")), storage=storage, **ALL)
        assert whole(moved.run()) == whole(board)
        assert moved.rows() == undisturbed.rows()
        shutil.rmtree(tmp_path / "there")


def test_whose_an_open_trial_is(tmp_path: Path) -> None:
    mine, other = StudyFolder(tmp_path / "a"), StudyFolder(tmp_path / "b")
    asked = {"owner": mine.owner}
    assert belongs_to(mine, asked, alone=False)
    assert not belongs_to(other, asked, alone=False)
    assert belongs_to(other, asked, alone=True)
    mine.path.rename(tmp_path / "c")
    assert belongs_to(StudyFolder(tmp_path / "c"), asked, alone=False)
    # earlier versions noted where the folder was
    earlier = {"folder": str((tmp_path / "a").absolute())}
    assert belongs_to(StudyFolder(tmp_path / "c"), earlier, alone=False)
    mine.path.mkdir()
    mine.spec_file.write_text("study: a")
    assert not belongs_to(StudyFolder(tmp_path / "c"), earlier, alone=False)


def test_the_data_may_lie_elsewhere(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study file with its data beside it is moved with the study's folder, and run from there."""
    undisturbed = Place(data, tmp_path / "undisturbed", **ALL)
    board = undisturbed.run()
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    shutil.copy(data, here / "reviews.csv")
    with switched(monkeypatch) as switch:
        switch.arm(150)
        with pytest.raises(Killed):
            Place(here / "reviews.csv", here / "runs", **ALL).run(switch)
    here.rename(there)
    assert whole(Place(there / "reviews.csv", there / "runs", **ALL).run()) == whole(board)
