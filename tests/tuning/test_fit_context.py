"""Fitting outside of studies, and the two ways in which kinds fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import Kind, KindSettings, LearningKind, Trial, fit_one
from promptlab.data.task import Task
from promptlab.errors import Cancelled, InputError, Pruned, StudyError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.tuning.fit_context import FitContext, FitRequest
from tests.helpers.learner_fixtures import EVALUATIONS, Learner, LearnerSettings, Silent, classifier


class Plain(Kind):
    """Fits one by one."""

    name: ClassVar[str] = "plain"
    Settings: ClassVar[type[KindSettings]] = KindSettings

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        raise AssertionError("not asked here")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        match candidate.name:
            case "hopeless":
                raise Pruned("no room for the text")
            case "wrong":
                raise ValueError("wrong")
            case "study":
                raise StudyError("the study is wrong")
        return classifier(candidate.name, model).fit(self.task.train)


class Empty(Learner):
    """Fits nothing at all."""

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Any]]:
        yield from ()


def word(text: str) -> Candidate:
    return Candidate.of("any", {"word": text}, text)


def learner(kind: type[Learner], task: Task) -> Learner:
    return kind(LearnerSettings(kind="learner"), task)


def test_outside_of_a_study(tmp_path: Path) -> None:
    fitting = FitContext()
    rows = Predictions([Prediction("1", "a", "a"), Prediction("2", "a", "b")])
    assert fitting.score_dev(rows) == 0.5
    assert fitting.should_prune(0, 1, 0.5) is False
    assert fitting.next_candidate() is None
    assert fitting.folder is None
    assert fitting.checkpoint(word("x")) is None
    fitting.cancellation.check()
    kept = FitContext(folder=tmp_path).checkpoint(word("x"))
    assert kept == tmp_path / "checkpoints" / f"{word('x').key}.safetensors"
    assert FitContext(lambda rows: -float(len(rows))).score_dev(rows) == -2.0
    with pytest.raises(InputError, match="unknown metric"):
        FitContext("acuracy")


def test_a_smaller_error_is_the_larger_value() -> None:
    sure = [Prediction("1", "a", "a", {"a": -0.01, "b": -4.6})]
    worse = [Prediction("1", "a", "b", {"a": -0.01, "b": -4.6})]
    judge = FitContext("calibration_error").score_dev
    assert judge(Predictions(sure)) > judge(Predictions(worse))


def test_one_by_one(masked: LocalModel, task: Task) -> None:
    kind = Plain(KindSettings(kind="plain"), task)
    names = ("great", "hopeless", "wrong", "good")
    asked = [FitRequest(n, word(name)) for n, name in enumerate(names, 5)]
    found = list(kind.fit_many(asked, masked, FitContext()))
    assert [number for number, _ in found] == [5, 6, 7, 8]
    assert [type(fitted) for _, fitted in found] == [
        PromptClassifier, Pruned, ValueError, PromptClassifier,
    ]  # fmt: skip
    with pytest.raises(StudyError, match="the study is wrong"):
        list(kind.fit_many([FitRequest(0, word("study"))], masked, FitContext()))
    cancellation = Cancellation()
    cancellation.request()
    with pytest.raises(Cancelled):
        next(kind.fit_many(asked, masked, FitContext(cancellation=cancellation)))


def test_fit_of_a_kind_that_learns_in_packs(masked: LocalModel, task: Task) -> None:
    Learner.forget()
    assert issubclass(Learner, LearningKind)
    assert Learner.saves_fitted
    assert isinstance(learner(Learner, task).fit(word("great"), masked), PromptClassifier)
    assert Learner.begun_at == [("great", 0)]
    assert Learner.fitted == ["great"]
    with pytest.raises(Pruned, match="diverged"):
        learner(Learner, task).fit(word("terrible"), masked)
    with pytest.raises(Exception, match="fitted nothing for 'great'"):
        learner(Empty, task).fit(word("great"), masked)
    assert learner(Silent, task).fit(word("x"), masked)


def test_one_of_a_pack_with_checkpoints(masked: LocalModel, task: Task, tmp_path: Path) -> None:
    fitting = FitContext(folder=tmp_path)
    fit_one(learner(Learner, task), word("great"), masked, fitting)
    mark = fitting.checkpoint(word("great"))
    assert mark is not None
    assert mark.read_text() == str(EVALUATIONS)
