"""The trials of a run: written whole, under their own numbers, and not read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from promptlab.study.spec.load import load_spec
from promptlab.study.spec.objective import make_objective
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.history import NumberTaken, TrialHistory
from promptlab.study.trials.trials import open_study
from tests.helpers.study_fixtures import study_document, write_reviews

CHOICES = [f"choice {number}" for number in range(40)]


def open_history(folder: Path, where: str, owner: str = "me") -> tuple[optuna.Study, TrialHistory]:
    document = study_document(write_reviews(folder / "reviews.csv"), sampler="random")
    spec = load_spec(document, source="study.yaml")
    assert isinstance(spec, StudySpec)
    study, storage = open_study(spec, where, [make_objective("accuracy")])
    return study, TrialHistory(study, storage, spec, 3, lambda asked: asked["owner"] == owner)


def ask(history: TrialHistory, choice: str, owner: str = "me") -> tuple[int, dict[str, Any]]:
    trial = history.ask({"of many": choice, "size": 3})
    trial.suggest_categorical("of many", CHOICES)
    trial.suggest_int("size", 1, 5)
    asked = {"owner": owner, "kind": "template", "key": choice, "candidate": {"text": choice}}
    return trial.number, asked


@pytest.mark.parametrize("where", ["sqlite:///{}/study.db", "journal:{}/study.log"])
def test_a_trial_is_stored_whole_with_all_of_its_choices(tmp_path: Path, where: str) -> None:
    place = where.format(tmp_path)
    _, history = open_history(tmp_path, place)
    for choice in CHOICES[7:9]:
        history.store(*ask(history, choice))
    study, again = open_history(tmp_path, place)
    trials = study.get_trials()
    assert [trial.state for trial in trials] == [optuna.trial.TrialState.RUNNING] * 2
    assert [trial.params for trial in trials] == [
        {"of many": choice, "size": 3} for choice in CHOICES[7:9]
    ]
    assert trials[1].distributions == {
        "of many": optuna.distributions.CategoricalDistribution(CHOICES),
        "size": optuna.distributions.IntDistribution(1, 5),
    }
    assert trials[1].user_attrs["asked"]["key"] == CHOICES[8]
    assert trials[1].datetime_start is not None
    assert [trial.number for trial in again.open] == [0, 1]


def test_the_choices_of_a_trial_are_parsed_once_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, history = open_history(tmp_path, f"sqlite:///{tmp_path}/study.db")
    history.store(*ask(history, CHOICES[0]))
    parse, parsed = optuna.distributions.json_to_distribution, []

    def counted(text: str) -> optuna.distributions.BaseDistribution:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(optuna.distributions, "json_to_distribution", counted)
    number, asked = ask(history, CHOICES[1])
    history.store(number, asked)
    history.tell(number, optuna.trial.TrialState.COMPLETE, [0.5], {"errors": 0})
    assert len(parsed) <= 2, "of each of both dimensions, the one that it is compared with"


@pytest.mark.parametrize("where", ["sqlite:///{}/study.db", "journal:{}/study.log"])
def test_a_number_that_another_process_has_taken_is_not_ours(tmp_path: Path, where: str) -> None:
    place = where.format(tmp_path)
    _, history = open_history(tmp_path, place)
    number, asked = ask(history, CHOICES[0])
    study, other = open_history(tmp_path, place, "another")
    other.store(*ask(other, CHOICES[1], "another"))
    with pytest.raises(NumberTaken):
        history.store(number, asked)
    assert [trial.state.name for trial in study.get_trials()] == ["RUNNING", "FAIL"]
    assert history.open == []
    number, asked = ask(history, CHOICES[0])
    history.store(number, asked)
    assert [trial.number for trial in history.open] == [number] == [2]
