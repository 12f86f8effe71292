"""Cascades: only the unsure ones are asked, costs are those really spent, thresholds are tuned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError, NotFittedError
from promptlab.evaluation.trace import Trace
from promptlab.models.local import LocalModel
from promptlab.predictors.base import load
from promptlab.predictors.ensemble.cascade import Cascade
from promptlab.predictors.ensemble.folds import Folds
from promptlab.predictors.ensemble.thresholds import ALWAYS, NEVER, CascadeStages, tune_thresholds
from tests.helpers.ensemble_fixtures import LABELS, Told, examples

SURE, UNSURE = {"a": 0.9, "b": 0.08, "c": 0.02}, {"a": 0.5, "b": 0.4, "c": 0.1}


def test_only_the_unsure_ones_go_on(causal: LocalModel) -> None:
    rows = examples("aaab")
    cheap = Told(causal, {"0": SURE, "1": UNSURE, "2": SURE, "3": None}, LABELS, tokens=10)
    dear = Told(causal, {str(n): {"a": 0.1, "b": 0.8, "c": 0.1} for n in range(4)}, LABELS, 100)
    last = Told(causal, {str(n): "c" for n in range(4)}, tokens=1000)
    found = Cascade([cheap, dear, last], [0.5, 0.9], names=["cheap", "dear", "last"]).predict(rows)
    assert cheap.asked == ["0", "1", "2", "3"]
    assert dear.asked == ["1", "3"]
    assert last.asked == ["1", "3"], "a margin of 0.7 is below 0.9"
    assert found.labels == ["a", "c", "a", "c"]
    assert [row.tokens_in for row in found] == [10, 1110, 10, 1110]
    assert [row.seconds for row in found] == [0.5, 1.0, 0.5, 0.5]
    steps = Trace.from_record(found[1].trace).steps
    assert [step.name for step in steps] == ["cheap", "dear", "last"]
    assert steps[0].notes == {"label": "a", "probability": 0.5, "margin": 0.1}
    probable = Cascade([cheap, dear], 0.45, measure="probability")
    assert probable.predict(rows).labels == ["a", "a", "a", "b"]


def test_who_answered_last_decides(causal: LocalModel) -> None:
    rows = examples("aa")
    silent = Told(causal, {"0": None, "1": None}, LABELS)
    found = Cascade([Told(causal, {"0": UNSURE, "1": None}, LABELS), silent], 1.0).predict(rows)
    assert found.labels == ["a", None]
    assert [row.unparsed for row in found] == [False, True]
    never = Cascade([Told(causal, {"0": UNSURE, "1": None}, LABELS), silent], 0.0)
    never.predict(rows)
    assert silent.asked == ["0", "1", "1"], "an abstention goes on whatever the threshold"


def test_thresholds_are_the_best_on_dev() -> None:
    sure = np.array([[0.9, 1], [0.8, 1], [0.3, 1], [0.2, 1], [0.1, 1]], dtype=float)
    correct = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 1]], dtype=bool)
    stages = CascadeStages(sure, correct, np.array([[1.0, 9.0]] * 5))
    (limit,) = tune_thresholds(stages, "best")
    assert stages.outcome([limit]) == (0.8, pytest.approx(1 + 9 / 5))
    assert 0.1 < limit < 0.2
    assert tune_thresholds(stages, 0.6) == (NEVER,)
    assert tune_thresholds(stages, 1.0) == (limit,), "out of reach: the best there is"
    assert stages.outcome([ALWAYS]) == (0.4, 10.0)
    assert tune_thresholds(CascadeStages(sure[:, :1], correct[:, :1], sure[:, :1]), "best") == ()


def test_thresholds_are_cross_fitted(causal: LocalModel) -> None:
    random = np.random.default_rng(5)
    rows = examples("ab" * 20)
    says = {row.id: dict(zip("ab", random.dirichlet([1, 1]), strict=True)) for row in rows}
    dear = {row.id: str(row.label) for row in rows}

    def fitted(dev: list[Example]) -> Cascade:
        made = Cascade([Told(causal, says, "ab"), Told(causal, dear, tokens=99)], target=0.9)
        return made.fit([], dev=dev)

    plain = fitted(rows)
    own = [row for row in rows if plain.folds.of(row) == 0]
    turned = [
        Example(r.id, r.fields, {"a": "b", "b": "a"}[str(r.label)] if r in own else r.label)
        for r in rows
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folds, "assign", classmethod(lambda *_: Folds(plain.folds.places)))
        other = fitted(turned)
    assert plain._without[0] == other._without[0]
    assert plain.thresholds != other.thresholds
    spent = [row.tokens_in for row in plain.predict(own)]
    assert spent == [row.tokens_in for row in other.predict(own)]


def test_what_cannot_be(causal: LocalModel) -> None:
    told = Told(causal, {"0": SURE}, LABELS)
    with pytest.raises(NotFittedError, match="finds its thresholds on dev"):
        Cascade([told, told]).predict(examples("a"))
    with pytest.raises(InputError, match="2 members has 1 thresholds; found 2"):
        Cascade([told, told], [0.1, 0.2])
    with pytest.raises(InputError, match="numbers from 0"):
        Cascade([told, told], -1)
    with pytest.raises(InputError, match="margin or probability"):
        Cascade([told, told], 1, measure="entropy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="target is 'best'"):
        Cascade([told, told], target=2.0)


def test_saved_and_loaded(task: Task, causal: LocalModel, tmp_path: Path) -> None:
    answers = {"negative": "terrible", "positive": "great"}
    members = [
        pl.PromptClassifier(t, answers, causal) for t in ("{text} {mask}", "{text} A {mask}")
    ]
    made = pl.Cascade(members, names=["one", "two"]).fit(task.train, dev=task.dev)
    made.save(tmp_path / "saved")
    again = load(tmp_path / "saved", causal)
    assert isinstance(again, Cascade)
    assert (again.thresholds, again._without) == (made.thresholds, made._without)
    assert again.predict(task.dev).labels == made.predict(task.dev).labels
    assert again.facts() == made.facts()
    assert "[two]" in made.example_prompt(task.dev[0])
