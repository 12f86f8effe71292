"""Spaces: what a trial may become, and how small spaces are enumerated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import optuna
import pytest

from promptlab.candidates.base import Kind, KindSettings, Trial, find_kind
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.space import SearchSpace
from tests.helpers.study_fixtures import study_document, write_reviews

ALLOWED_CODE = (
    __name__,
    "no_such_module",
    "json",
)


class Nested(Kind):
    """A kind with a dimension that is there for one choice of another only."""

    name: ClassVar[str] = "nested"
    Settings: ClassVar[type[KindSettings]] = KindSettings

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        branch = trial.suggest_categorical(f"{prefix}branch", ["a", "b"])
        settings: dict[str, Any] = {"branch": branch}
        if branch == "b":
            settings["depth"] = trial.suggest_int(f"{prefix}depth", 1, 3)
        return Candidate.of(self.name, settings, branch)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        raise AssertionError("not fitted here")


class Endless(Nested):
    """A kind with a real-valued dimension."""

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        rate = trial.suggest_float(f"{prefix}rate", 0.0, 1.0)
        return Candidate.of(self.name, {"rate": rate}, "rate")


@pytest.fixture
def reviews(tmp_path: Path) -> Task:
    return Task.from_file(write_reviews(tmp_path / "reviews.csv"))


def space(document: dict[str, Any], task: Task) -> SearchSpace:
    return SearchSpace(load_spec(document, source="test").candidates, task)


def test_enumeration_finds_every_candidate_once(reviews: Task, tmp_path: Path) -> None:
    made = space(study_document(tmp_path), reviews)
    every = made.enumerate(100)
    assert every is not None
    assert len(every) == 3 * 4 + 2 * 5
    keys = {made.suggest(optuna.trial.FixedTrial(params))[1].key for params in every}
    assert len(keys) == len(every)


def test_enumeration_follows_conditions(reviews: Task) -> None:
    made = SearchSpace([KindSettings(kind=f"{__name__}:Nested")], reviews)
    every = made.enumerate(100)
    assert every is not None
    found = [tuple(params.values()) for params in every]
    assert sorted(found, key=str) == [("a",), ("b", 1), ("b", 2), ("b", 3)]


def test_endless_and_too_large_spaces_are_not_enumerated(reviews: Task, tmp_path: Path) -> None:
    assert SearchSpace([KindSettings(kind=f"{__name__}:Endless")], reviews).enumerate(100) is None
    assert space(study_document(tmp_path), reviews).enumerate(5) is None


def test_groups_of_one_kind_have_names_of_their_own(reviews: Task, tmp_path: Path) -> None:
    document = study_document(tmp_path)
    document["candidates"] = [document["candidates"][0]] * 2
    assert list(space(document, reviews).kinds) == ["template", "template-2"]


def test_optuna_fills_the_space(reviews: Task, tmp_path: Path) -> None:
    made = space(study_document(tmp_path), reviews)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    seen = set()
    for _ in range(15):
        trial = study.ask()
        seen.add(made.suggest(trial)[1].key)
        study.tell(trial, 0.0)
    assert len(seen) > 5


@pytest.mark.parametrize(
    ("group", "told"),
    [
        ({"templates": ["sentiment/it-wsa"]}, "did you mean sentiment/it-was"),
        ({"templates": ["{txt} was {mask}."], "verbalizers": [{"a": "b", "c": "d"}]}, "'txt'"),
        ({"templates": ["{text} was {mask}."]}, "no answers of its own"),
        ({"templates": ["{text} {mask} {mask}"]}, "second one"),
        ({"templates": ["{text} was."]}, "no answer slot"),
        (
            {
                "templates": ["{text} {mask}"],
                "verbalizers": [{"positive": "good", "neutral": "so"}],
            },
            "no answer for the label 'negative'",
        ),
        (
            {"templates": ["{text} {mask}"], "verbalizers": [{"positive": "", "negative": "bad"}]},
            "no tokens",
        ),
        ({"templates": ["capitals/capital-of"]}, "list verbalizers: [targets]"),
        ({"templates": []}, "no templates"),
    ],
)
def test_bad_groups_are_refused_before_a_model_is_needed(
    reviews: Task, group: dict[str, Any], told: str
) -> None:
    document = study_document(Path("unused"))
    document["candidates"] = [{"kind": "template"} | group]
    with pytest.raises(StudyError, match=r"candidates, group 1") as caught:
        space(document, reviews)
    assert told in str(caught.value)


def test_too_many_demonstrations(reviews: Task, tmp_path: Path) -> None:
    document = study_document(tmp_path)
    document["candidates"][1]["count"] = [10_000]
    with pytest.raises(StudyError, match="10000 demonstrations"):
        space(document, reviews)


@pytest.mark.parametrize(
    "name", ["no_such_module:Kind", "promptlab.data.task:Task", "json:nothing"]
)
def test_kinds_that_are_none(name: str) -> None:
    with pytest.raises(StudyError):
        find_kind(name)
