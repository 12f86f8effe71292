"""A run that is killed at any moment and started again loses nothing and repeats nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.helpers import subprocesses
from tests.helpers.study_fixtures import study_document, write_reviews, write_study
from tests.helpers.tiny_models import Pair

pytestmark = pytest.mark.slow

Moment = Callable[[Path], bool]


def files(folder: Path) -> int:
    return len(list((folder / "predictions").glob("[0-9]*.jsonl")))


MOMENTS: dict[str, Moment] = {
    "as the folder appears": lambda folder: folder.exists(),
    "as the storage appears": lambda folder: (folder / "study.db").exists(),
    "in the first trial": lambda folder: files(folder) >= 1,
    "in the search": lambda folder: files(folder) >= 9,
    "while test is read": lambda folder: (folder / "test.lock.json").exists(),
    "before the report": lambda folder: (folder / "predictions" / "test.jsonl").exists(),
}


def complete(folder: Path) -> dict[int, tuple[str, float]]:
    """Key and value of every complete trial by number."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'study.db'}")
    study = optuna.load_study(study_name="reviews", storage=storage)
    return {
        trial.number: (trial.user_attrs["asked"]["key"], trial.values[0])
        for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    }


@pytest.fixture
def command(tmp_path: Path, tiny_masked: Pair, folder_of: Callable[[Pair], Path]) -> list[str]:
    data = write_reviews(tmp_path / "reviews.csv", rows=200)
    document = study_document(data, block=1, model={"name": str(folder_of(tiny_masked))})
    document["task"] |= {"dev": 50, "test": 40}
    path = write_study(tmp_path / "reviews.yaml", document)
    return ["study", "run", str(path), "--out", str(tmp_path / "runs"), "--json"]


def kill_when(command: list[str], folder: Path, moment: Moment) -> bool:
    """Start the run, SIGKILL it at the moment; whether it was still running."""
    started = subprocesses.start(*command)
    deadline = time.monotonic() + 300
    while started.runs and not moment(folder) and time.monotonic() < deadline:
        time.sleep(0.001)
    return started.kill()


def test_killed_again_and_again(command: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "reviews"
    known: dict[int, tuple[str, float]] = {}
    killed = []
    for name, moment in MOMENTS.items():
        if kill_when(command, folder, moment):
            killed.append(name)
        if (folder / "study.db").exists() and files(folder):
            found = complete(folder)
            assert known.items() <= found.items(), f"a finished trial was lost, killed {name}"
            known = found
    assert len(killed) >= 4, f"the run was too quick to be killed: {killed}"
    out = tmp_path / "out"
    done = subprocesses.start(*command, out=out)
    assert done.code() == 0, done.said
    board: dict[str, Any] = json.loads(out.read_text())
    found = complete(folder)
    assert known.items() <= found.items()
    keys = [key for key, _ in found.values()]
    assert len(keys) == len(set(keys)) == len(board["trials"]) == 22
    assert board["best"]["test"]["n"] == 40
    assert not list(folder.rglob("*.partial"))
