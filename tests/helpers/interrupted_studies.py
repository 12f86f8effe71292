"""Studies that are cut off at any write, as if the process were killed there, and go on."""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import optuna
import pytest

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.events import Event, Events
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.trials import finished_trials, trial_record
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.study_fixtures import study_document

_WRITES = (
    "_create_new_trial",
    "set_trial_state_values",
    "_set_trial_param",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "set_study_user_attr",
)


class Killed(BaseException):
    """The process is no more."""


class Switch:
    """Counts what a run writes, before and after; at ``fatal`` the run dies and writes no more."""

    def __init__(self) -> None:
        self.fatal = 0
        self.passed = 0

    def point(self) -> None:
        """A moment at which the process may be killed."""
        self.passed += 1
        if self.fatal and self.passed >= self.fatal:
            raise Killed

    def arm(self, fatal: int) -> None:
        """Kill at the ``fatal``-th point from now; 0: never."""
        self.fatal, self.passed = fatal, 0

    def around(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """A write with a point before and one after it."""

        def cut(*args: Any, **options: Any) -> Any:
            self.point()
            found = write(*args, **options)
            self.point()
            return found

        return cut

    def __call__(self, event: Event) -> None:
        """Every event is a moment, too."""
        self.point()


@contextmanager
def switched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    """A switch over all writes of the storage and over files that appear whole."""
    switch = Switch()
    with monkeypatch.context() as patch:
        for name in _WRITES:
            write = getattr(optuna.storages.RDBStorage, name)
            patch.setattr(optuna.storages.RDBStorage, name, switch.around(write))
        patch.setattr(Path, "replace", switch.around(Path.replace))
        patch.setattr(os, "replace", switch.around(os.replace))
        yield switch


def rate(prompt: str, answer: str) -> float:
    """As likely as chance has it, and always the same."""
    return (zlib.crc32(f"{prompt} {answer}".encode()) % 997) / 100


class Drawn(Kind):
    """A space without end: a word, a number on a logarithmic scale, a count."""

    name: ClassVar[str] = "drawn"
    Settings: ClassVar[type[KindSettings]] = KindSettings

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        found = {
            "word": trial.suggest_categorical(f"{prefix}word", ["film", "soup", "joke", "plot"]),
            "rate": trial.suggest_float(f"{prefix}rate", 1e-4, 1e-1, log=True),
        }
        if found["word"] != "soup":
            found["count"] = trial.suggest_int(f"{prefix}count", 1, 9)
        return Candidate.of(self.name, found, f"{found['word']} {found['rate']:.6f}")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        told = " ".join(str(value) for value in candidate.settings.values())
        verbalizer = Verbalizer({"negative": "terrible", "positive": "great"})
        return PromptClassifier(Template(f"{{text}} {told} {{mask}}"), verbalizer, model)


class Place:
    """Where studies of one configuration are run, cut off, and continued."""

    def __init__(
        self,
        data: Path,
        out: Path,
        *,
        storage: str | None = None,
        model: LanguageModel | None = None,
        **changes: Any,
    ) -> None:
        changes = {"block": 4, **changes}
        document = study_document(data, **changes)
        document["task"] |= {"train": 8, "dev": 12, "test": 12}
        spec = load_spec(document, source="test")
        assert isinstance(spec, StudySpec)
        self.spec, self.out = spec, out
        self.storage = storage or f"sqlite:///{out / spec.study / 'study.db'}"
        self._given = storage
        self._model = model

    def run(self, switch: Switch | None = None) -> dict[str, Any]:
        """One run of the study in the folder."""
        events = Events() if switch is None else Events(switch)
        model = self._model or ScriptedModel(rate=rate)
        run = StudyRun(self.spec, out=self.out, events=events, model=model, storage=self._given)
        return run.run()

    def rows(self) -> list[Any]:
        """All that the storage tells of the trials, but for seconds."""
        study = optuna.load_study(study_name=self.spec.study, storage=self.storage)
        return [row_of(trial, self.out / self.spec.study) for trial in finished_trials(study)]


_OF_ITS_RUN = ("seconds", "owner", "checksum", "fitted_checksum")
"""What differs between runs: times, whose they are, and hashes of files that hold times."""


def row_of(trial: Any, folder: Path) -> dict[str, Any]:
    """A trial without seconds."""
    facts = {k: v for k, v in trial_record(trial).items() if k not in _OF_ITS_RUN}
    rows = folder / "predictions" / f"{trial.number}.jsonl"
    return {
        "number": trial.number,
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "steps": trial.intermediate_values,
        "noted": {k: v for k, v in trial.system_attrs.items() if k.startswith("completed")},
        "curve": trial.user_attrs.get("curve"),
        "predicted": rows.exists() and len(rows.read_text().splitlines()),
        **facts,
    }


def whole(board: Any) -> Any:
    """A leaderboard without what the clock tells."""
    if isinstance(board, dict):
        return {key: whole(value) for key, value in board.items() if "seconds" not in key}
    if isinstance(board, list):
        return [whole(value) for value in board]
    return board


def killed_often(place: Place, switch: Switch, chance: random.Random, most: int) -> int:
    """Run the study and kill it again and again, later and later, until it ends; how often."""
    for kills in range(1000):
        switch.arm(chance.randint(1, most + 3 * kills))
        try:
            place.run(switch)
        except Killed:
            continue
        return kills
    raise AssertionError("it does not get on")


def differences(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[Any]:
    """Number, key and both values of whatever two tables of trials do not have in common."""
    found: list[Any] = [] if len(rows) == len(others) else [("trials", len(rows), len(others))]
    for row, other in zip(rows, others, strict=False):
        keys = sorted(row.keys() | other.keys())
        found += [
            (row["number"], key, row.get(key), other.get(key))
            for key in keys
            if row.get(key) != other.get(key)
        ]
    return found
