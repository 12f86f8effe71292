"""What members of an ensemble weigh: learned on dev, folds held apart, or chosen one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.predictors.ensemble.ensemble import Ensemble
from promptlab.predictors.ensemble.folds import Folds, fold_key
from tests.helpers.ensemble_fixtures import (  # noqa: F401 - fixtures
    LABELS,
    Told,
    array,
    drawn,
    examples,
    probabilities,
    rows,
    tables,
)


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
        patch.setattr(Folds, "assign", classmethod(lambda *_: Folds(plain.folds.places)))
        other = fitted(changed)
    np.testing.assert_allclose(
        probabilities(plain.predict(own)), probabilities(other.predict(own)), atol=1e-9
    )
    new = [Example(row.id, {"text": f"new {row.id}"}) for row in rows]
    assert not np.allclose(probabilities(plain.predict(new)), probabilities(other.predict(new)))


def test_folds_hold_equal_texts_together_and_labels_apart() -> None:
    rows = [*examples("aaaaabbbbb"), Example("again", {"text": "TEXT  0"}, "a")]
    folds = Folds.assign(rows, 5, 13)
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


def test_weights_for_open_answers(causal: LocalModel) -> None:
    rows = [Example(str(n), {"text": f"sum {n}"}, str(n)) for n in range(12)]
    good = Told(causal, {row.id: row.label for row in rows})
    bad = Told(causal, {row.id: f"{n + 100}" for n, row in enumerate(rows)})
    found = Ensemble([bad, good], "learned", names=["bad", "good"]).fit([], dev=rows)
    assert found.names == ["good"]
    assert found.predict(rows).correct == [True] * 12
