"""Ensembles: each method against numpy by hand, cross-fitting, abstentions, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError, NotFittedError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.trace import Trace
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.ensemble.cached_predictor import CachedPredictor
from promptlab.predictors.ensemble.ensemble import Ensemble
from promptlab.predictors.ensemble.votes import canonical, member_votes
from tests.helpers.ensemble_fixtures import (  # noqa: F401 - fixtures
    LABELS,
    Told,
    array,
    examples,
    probabilities,
    rows,
    tables,
)


def test_mean_and_weighted_are_what_numpy_says(
    causal: LocalModel, rows: list[Example], tables: list[Any]
) -> None:
    members = [Told(causal, table, LABELS) for table in tables]
    p = array(tables, rows)
    np.testing.assert_allclose(
        probabilities(Ensemble(members).predict(rows)), p.mean(axis=1), atol=1e-12
    )
    weights = np.array([1.0, 0.0, 2.0, 1.0])
    found = Ensemble(members, "weighted", weights=list(weights)).predict(rows)
    np.testing.assert_allclose(
        probabilities(found), np.einsum("m,nml->nl", weights / 4, p), atol=1e-12
    )
    assert found.tokens == 30 * len(rows), "a member without weight is not asked"
    assert members[1].asked == [row.id for row in rows]  # by the mean alone


def test_majority_counts_votes_and_the_mean_decides_between_equal_ones(causal: LocalModel) -> None:
    (row,) = examples("a")
    says = [{"a": 0.4, "b": 0.6}, {"a": 0.45, "b": 0.55}, {"a": 0.99, "b": 0.01}]
    members = [Told(causal, {"0": one}, ("a", "b")) for one in says]
    assert Ensemble(members, "majority").predict([row])[0].label == "b"
    assert Ensemble(members).predict([row])[0].label == "a"
    even = Ensemble(members[1:], "majority").predict([row])[0]
    assert even.label == "a"
    odd = Ensemble(members, "majority").predict([row])[0].scores or {}
    assert odd["b"] == pytest.approx(np.log(0.95 * 2 / 3 + 0.05 / 2), abs=1e-4)


def test_members_without_scores_vote_and_unparsed_ones_abstain(causal: LocalModel) -> None:
    rows = examples("aab")
    scored = Told(causal, {"0": {"a": 0.3, "b": 0.7}, "1": {"a": 0.3, "b": 0.7}, "2": None})
    voting = Told(causal, {"0": "a", "1": None, "2": None})
    odd = Told(causal, {"0": "z", "1": "z", "2": None})  # a label that there is not
    found = Ensemble([scored, voting, odd], labels=["a", "b"]).predict(rows)
    assert (found[0].scores or {})["a"] == pytest.approx(np.log((0.3 + 0.95) / 2))
    assert (found[1].scores or {})["b"] == pytest.approx(np.log(0.7))
    assert found[2].unparsed
    assert found[2].label is None
    assert found[2].scores is None
    steps = Trace.from_record(found[0].trace).steps
    assert [step.notes.get("label") for step in steps] == ["b", "a", "z"]
    assert steps[0].notes["probability"] == pytest.approx(0.7)
    assert "probability" not in steps[2].notes


def test_an_error_of_all_members_is_an_error(causal: LocalModel) -> None:
    class Broken(Told, register=False):
        def _one(self, row: Example) -> Prediction:
            return Prediction(row.id, None, row.label, unparsed=True, error="no answer")

    rows = examples("a")
    broken, fine = Broken(causal, {}), Told(causal, {"0": "a"})
    assert Ensemble([broken, broken], labels=LABELS).predict(rows)[0].error
    row = Ensemble([broken, fine], labels=LABELS).predict(rows)[0]
    assert (row.label, row.error) == ("a", None)


def test_other_orders_of_labels_and_other_labels(causal: LocalModel) -> None:
    rows = examples("ab")
    says = {"0": {"a": 0.9, "b": 0.1}, "1": {"a": 0.2, "b": 0.8}}
    turned = {key: dict(reversed(value.items())) for key, value in says.items()}
    both = Ensemble([Told(causal, says, ("a", "b")), Told(causal, turned, ("b", "a"))])
    assert both.labels == ("a", "b")
    assert both.predict(rows)[0].scores == pytest.approx({"a": np.log(0.9), "b": np.log(0.1)})
    with pytest.raises(InputError, match=r"same labels: member 2 has a, c .*'b', 'c'"):
        Ensemble([Told(causal, says, ("a", "b")), Told(causal, says, ("a", "c"))])


def test_open_answers_are_compared_by_their_value(causal: LocalModel) -> None:
    (row,) = examples("x")
    said = ["18", "$18.00", "17", "18", None]
    found = Ensemble([Told(causal, {"0": one}) for one in said], "majority").predict([row])[0]
    assert (found.label, found.unparsed) == ("18", False)
    words = Ensemble([Told(causal, {"0": w}) for w in ("the Nile", "The  Nile", "Rhine")])
    assert words.predict([row])[0].label == "the Nile"
    assert canonical("1,200.50") == "1200.5"
    assert canonical("H2O") == "h2o"
    with pytest.raises(InputError, match="open"):
        Ensemble([Told(causal, {"0": "x"})], "stacking")


def test_what_cannot_be(causal: LocalModel) -> None:
    told = Told(causal, {"0": "a"}, LABELS)
    with pytest.raises(InputError, match="no members"):
        Ensemble([])
    with pytest.raises(InputError, match="is one of majority"):
        Ensemble([told], "vote")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="weights go with"):
        Ensemble([told], "weighted")
    with pytest.raises(InputError, match="1 members and 2 weights"):
        Ensemble([told], "weighted", weights=[1, 2])
    with pytest.raises(NotFittedError, match="learned learns on dev"):
        Ensemble([told], "learned").predict(examples("a"))
    with pytest.raises(InputError, match="there are none"):
        Ensemble([told], "learned").fit([], dev=[])


def test_saved_and_loaded(task: Task, causal: LocalModel, tmp_path: Path) -> None:
    answers = {"negative": "terrible", "positive": "great"}
    texts = ["{text} It was {mask}", "{text} A {mask} one"]
    members = [
        pl.PromptClassifier(text, answers, causal, calibration="contextual") for text in texts
    ]
    made = pl.Ensemble(members, "stacking", names=["first", "second"])
    made.fit(task.train, dev=task.dev)
    made.save(tmp_path / "saved")
    assert sorted(p.name for p in (tmp_path / "saved" / "members").iterdir()) == ["0", "1"]
    again = load(tmp_path / "saved", causal)
    assert isinstance(again, Ensemble)
    assert again.names == ["first", "second"]
    for split in (task.dev, task.test):
        a, b = made.predict(split), again.predict(split)
        assert a.labels == b.labels
        assert [row.scores for row in a] == [row.scores for row in b]
    assert again.facts() == made.facts()
    assert made.predict_proba(task.test).sum(axis=1) == pytest.approx(1)
    assert made.score(task.test) == again.score(task.test)
    nested = Ensemble.from_settings(made.settings(), causal)
    assert nested.predict(task.dev).labels == made.predict(task.dev).labels
    (tmp_path / "saved" / "members" / "1" / "predictor.json").unlink()
    with pytest.raises(InputError, match=r"no file .*predictor\.json; copy the whole"):
        load(tmp_path / "saved", causal)


def test_kept_predictions_are_recalled(causal: LocalModel, rows: list[Example]) -> None:
    made: list[Told] = []

    def make() -> Predictor:
        made.append(Told(causal, {"new": "b"} | {row.id: "a" for row in rows}))
        return made[-1]

    table = Predictions(Prediction(row.id, "c", row.label, tokens_in=7) for row in rows)
    known = CachedPredictor(make, table, rows, causal, prompt="kept")
    assert known.predict(rows).labels == ["c"] * len(rows)
    assert known.example_prompt(rows[0]) == "kept"
    assert not made
    renamed = Example("other id", rows[0].fields, "b")
    new = Example("new", {"text": "never seen"})
    found = known.predict([renamed, new, rows[1]])
    assert found.labels == ["c", "b", "c"]
    assert [row.example_id for row in found] == ["other id", "new", "1"]
    assert found[0].target == "b"
    assert made[0].asked == ["new"]
    with pytest.raises(InputError, match="lack 1 of 30"):
        CachedPredictor(make, table[1:], rows, causal)


def test_a_ballot_of_partial_scores_leaves_room_for_other_labels() -> None:
    row = Prediction("0", "a", None, {"a": float(np.log(0.75)), "b": float(np.log(0.25))})
    found = member_votes([row, None], LABELS, 0.06)
    np.testing.assert_allclose(
        found.probabilities[0], 0.94 * np.array([0.75, 0.25, 0]) + 0.02, atol=1e-12
    )
    assert list(found.voted) == [True, False]
