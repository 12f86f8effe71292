"""Ensembles: each method against numpy by hand, cross-fitting, abstentions, saving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

import promptlab as pl
from promptlab.ensemble.ballot import ballot, canonical
from promptlab.ensemble.ensemble import Ensemble
from promptlab.ensemble.folds import Folds, fold_key
from promptlab.ensemble.recalled import Recalled
from promptlab.errors import InputError, NotFittedError
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictions import Prediction, Predictions
from promptlab.predictor import Input, Predictor, as_examples, load
from promptlab.task import Task
from promptlab.trace import Trace

LABELS = ("a", "b", "c")


class Told(Predictor, register=False):
    """Says what a table tells it, and keeps the ids that it was asked."""

    def __init__(
        self,
        model: LanguageModel,
        says: Mapping[str, Any],
        labels: Sequence[str] = (),
        tokens: int = 10,
    ) -> None:
        self.model = model
        self.says = dict(says)
        self.tokens = tokens
        self.asked: list[str] = []
        if labels:
            self.labels = tuple(labels)

    @property
    def fields(self) -> tuple[str, ...]:
        return ("text",)

    def fit(
        self,
        examples: Iterable[Input],
        labels: Sequence[str] | None = None,
        *,
        dev: Iterable[Input] = (),
    ) -> Self:
        return self

    def predict(self, examples: Iterable[Input]) -> Predictions:
        rows = as_examples(examples, self.fields)
        self.asked += [row.id for row in rows]
        return Predictions(self._one(row) for row in rows)

    def _one(self, row: Example) -> Prediction:
        said = self.says[row.id]
        if said is None:
            return Prediction(row.id, None, row.label, unparsed=True, tokens_in=self.tokens)
        if isinstance(said, str):
            return Prediction(row.id, said, row.label, text=said, tokens_in=self.tokens)
        scores = {k: float(np.log(p)) for k, p in said.items()}
        label = max(scores, key=scores.__getitem__)
        return Prediction(row.id, label, row.label, scores, tokens_in=self.tokens, seconds=0.5)

    def settings(self) -> dict[str, Any]:
        return {"says": self.says}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], model: LanguageModel) -> Self:
        return cls(model, settings["says"])


def examples(labels: str) -> list[Example]:
    return [Example(str(n), {"text": f"text {n}"}, label) for n, label in enumerate(labels)]


def drawn(random: np.random.Generator, rows: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Probabilities that lean towards the truth."""
    table = {}
    for row in rows:
        p = random.dirichlet([1.0 + 2.0 * (name == row.label) for name in LABELS])
        table[row.id] = dict(zip(LABELS, p, strict=True))
    return table


@pytest.fixture
def rows() -> list[Example]:
    return examples("abcabcabcabcabcabcabcabcabcabc")


@pytest.fixture
def tables(rows: list[Example]) -> list[dict[str, dict[str, float]]]:
    random = np.random.default_rng(3)
    return [drawn(random, rows) for _ in range(4)]


def array(tables: Sequence[Mapping[str, Any]], rows: Sequence[Example]) -> np.ndarray:
    """``[example, member, label]``."""
    return np.array([[[t[row.id][name] for name in LABELS] for t in tables] for row in rows])


def probabilities(found: Predictions) -> np.ndarray:
    return np.exp([[(row.scores or {})[name] for name in LABELS] for row in found])


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


def test_dev_accuracy_weights(causal: LocalModel, rows: list[Example], tables: list[Any]) -> None:
    members = [Told(causal, table, LABELS) for table in tables]
    found = Ensemble(members, "dev_accuracy").fit([], dev=rows)
    p = array(tables, rows)
    right = np.array([LABELS.index(str(row.label)) for row in rows])
    accuracy = (p.argmax(axis=2) == right[:, None]).mean(axis=0)
    np.testing.assert_allclose(found.weights, accuracy / accuracy.sum(), atol=1e-12)


def test_learned_weights_maximise_the_likelihood(causal: LocalModel, rows: list[Example]) -> None:
    random = np.random.default_rng(8)
    tables = [drawn(random, rows) for _ in range(3)]
    members = [Told(causal, table, LABELS) for table in tables]
    ensemble = Ensemble(members, "learned", names=["0", "1", "2"]).fit([], dev=rows)
    found = np.zeros(3)
    found[list(map(int, ensemble.names))] = ensemble.weights
    p = array(tables, rows)
    right = np.array([LABELS.index(str(row.label)) for row in rows])
    true = p[np.arange(len(rows)), :, right]

    def likelihood(weights: np.ndarray) -> float:
        return float(np.log(true @ weights).mean())

    grid = [np.array([a, b, 20 - a - b]) / 20 for a in range(21) for b in range(21 - a)]
    assert found.sum() == pytest.approx(1)
    assert (found > 0.05).sum() > 1, "a mixture, not a corner"
    assert likelihood(found) >= max(map(likelihood, grid)) - 1e-6


def test_stacking_is_the_penalised_maximum(
    causal: LocalModel, rows: list[Example], tables: list[Any]
) -> None:
    members = [Told(causal, table, LABELS) for table in tables[:2]]
    stacked = Ensemble(members, "stacking").fit([], dev=rows)
    assert stacked.rule is not None
    values = np.array([*stacked.rule.weights, *stacked.rule.bias])
    logs = np.log(array(tables[:2], rows))
    right = np.array([LABELS.index(str(row.label)) for row in rows])

    def loss(v: np.ndarray) -> float:
        logits = np.einsum("m,nml->nl", v[:2], logs) + v[2:]
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        prior = np.array([0.5, 0.5, 0, 0, 0])
        return float(-logits[np.arange(len(rows)), right].sum() + ((v - prior) ** 2).sum() / 2)

    best = loss(values)
    for step in np.eye(5):
        assert loss(values + 0.01 * step) > best
        assert loss(values - 0.01 * step) > best
    new = Example("0", {"text": "unseen"})
    logits = stacked.rule.weights @ logs[0] + np.array(stacked.rule.bias)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(probabilities(stacked.predict([new]))[0], expected, atol=1e-9)


@pytest.mark.parametrize("method", ["dev_accuracy", "learned", "stacking"])
@pytest.mark.parametrize("select", [None, 2])
def test_no_example_is_judged_by_what_learned_from_its_fold(
    causal: LocalModel, rows: list[Example], tables: list[Any], method: Any, select: int | None
) -> None:
    """Changing the labels of a fold must not change the predictions of that fold."""

    def fitted(dev: Sequence[Example]) -> Ensemble:
        members = [Told(causal, table, LABELS) for table in tables]
        return Ensemble(members, method, select=select).fit([], dev=dev)

    plain = fitted(rows)
    fold = plain.folds.of(rows[0])
    own = [row for row in rows if plain.folds.of(row) == fold]
    assert 0 < len(own) < len(rows)
    turned = {"a": "b", "b": "c", "c": "a"}
    other = fitted(rows)
    changed = [
        Example(row.id, row.fields, turned[str(row.label)] if row in own else row.label)
        for row in rows
    ]
    with pytest.MonkeyPatch.context() as patch:  # the same folds for both
        patch.setattr(Folds, "assigned", classmethod(lambda *_: Folds(plain.folds.places)))
        other = fitted(changed)
    np.testing.assert_allclose(
        probabilities(plain.predict(own)), probabilities(other.predict(own)), atol=1e-9
    )
    new = [Example(row.id, {"text": f"new {row.id}"}) for row in rows]
    assert not np.allclose(probabilities(plain.predict(new)), probabilities(other.predict(new)))


def test_folds_hold_equal_texts_together_and_labels_apart() -> None:
    rows = [*examples("aaaaabbbbb"), Example("again", {"text": "TEXT  0"}, "a")]
    folds = Folds.assigned(rows, 5, 13)
    assert folds.count == 5
    assert folds.of(rows[0]) == folds.of(rows[-1])
    for label in "ab":
        assert len({folds.of(row) for row in rows if row.label == label}) == 5
    assert folds.of(Example("x", {"text": "unknown"})) is None
    assert len(fold_key(rows[0])) == 16


def test_greedy_selection_takes_the_best_first_and_drops_the_rest(
    causal: LocalModel, rows: list[Example]
) -> None:
    right = {row.id: {n: 0.8 if n == row.label else 0.1 for n in LABELS} for row in rows}
    bad = {row.id: {n: 0.1 if n == row.label else 0.45 for n in LABELS} for row in rows}
    members = [Told(causal, bad, LABELS), Told(causal, right, LABELS), Told(causal, bad, LABELS)]
    found = Ensemble(members, "mean", select=2, names=["x", "y", "z"]).fit([], dev=rows)
    assert (found.names, found.weights) == (["y"], (1.0,))
    assert found.predict(rows).correct == [True] * len(rows)


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


def test_weights_for_open_answers(causal: LocalModel) -> None:
    rows = [Example(str(n), {"text": f"sum {n}"}, str(n)) for n in range(12)]
    good = Told(causal, {row.id: row.label for row in rows})
    bad = Told(causal, {row.id: f"{n + 100}" for n, row in enumerate(rows)})
    found = Ensemble([bad, good], "learned", names=["bad", "good"]).fit([], dev=rows)
    assert found.names == ["good"]
    assert found.predict(rows).correct == [True] * 12


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
    with pytest.raises(InputError, match=r"lacks its predictor.json"):
        load(tmp_path / "saved", causal)


def test_kept_predictions_are_recalled(causal: LocalModel, rows: list[Example]) -> None:
    made: list[Told] = []

    def make() -> Predictor:
        made.append(Told(causal, {"new": "b"} | {row.id: "a" for row in rows}))
        return made[-1]

    table = Predictions(Prediction(row.id, "c", row.label, tokens_in=7) for row in rows)
    known = Recalled(make, table, rows, causal, prompt="kept")
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
        Recalled(make, table[1:], rows, causal)


def test_a_ballot_of_partial_scores_leaves_room_for_other_labels() -> None:
    row = Prediction("0", "a", None, {"a": float(np.log(0.75)), "b": float(np.log(0.25))})
    found = ballot([row, None], LABELS, 0.06)
    np.testing.assert_allclose(
        found.probabilities[0], 0.94 * np.array([0.75, 0.25, 0]) + 0.02, atol=1e-12
    )
    assert list(found.spoke) == [True, False]
