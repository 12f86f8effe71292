"""Labels as learned vectors: fitted by hand, saved, refused; and what they are near to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import promptlab as pl
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, InputError, NotFittedError, VerbalizerError
from promptlab.models.local import LocalModel
from promptlab.predictors.answer_vector_fit import fit_vectors
from promptlab.predictors.answer_vectors import AnswerVectorClassifier, nearest_words
from tests.helpers.scripted_model import ScriptedModel

Fresh = Callable[..., LocalModel]
TEXT = "{text} It was {mask} ."
WORDS = {"negative": "bad", "positive": "good"}


def data(count: int = 40, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(3)
    targets = np.arange(count) % 2
    features = chance.normal(size=(count, dim)) + 1.5 * targets[:, None] * np.eye(dim)[0]
    return features, targets


def test_one_feature_by_hand() -> None:
    """Features 1 and -1, one of each label: both vectors' changes are c and -c.

    The loss is log(1 + exp(-2c)) + strength · c² (the mean squared feature is 1, two labels), so
    that its slope -2 / (1 + exp(2c)) + 2 · strength · c is zero at the minimum.
    """
    features, targets = np.array([[-1.0], [1.0]]), np.array([0, 1])
    start, bias = np.zeros((2, 1)), np.zeros(2)
    found = fit_vectors(features, targets, start, bias, None, strengths=(0.25,))
    change = float(found.vectors[1, 0])
    assert found.vectors[0, 0] == pytest.approx(-change)
    assert 1 / (1 + np.exp(2 * change)) == pytest.approx(0.25 * change, abs=1e-5)
    assert (found.strength, found.tried, found.accuracy) == (0.25, 1, 1.0)
    assert (found.corrected, found.folds) == (None, 0)


def test_begun_at_zero_it_is_the_softmax_regression_of_scikit_learn() -> None:
    features, targets = data()
    found = fit_vectors(features, targets, np.zeros((2, 5)), np.zeros(2), None, strengths=(0.1,))
    # Two labels: the vectors are w/2 and -w/2, whose penalty together is half that of w.
    scale = (features**2).sum(axis=1).mean()
    inverse = 1 / (0.1 * scale / 2 * len(targets))
    plain = LogisticRegression(C=inverse, fit_intercept=False, tol=1e-9, max_iter=5000)
    plain.fit(features, targets)
    difference = found.vectors[1] - found.vectors[0]
    np.testing.assert_allclose(difference, plain.coef_[0], atol=1e-4)


def test_the_pull_is_towards_the_start_and_an_infinite_one_stays_there() -> None:
    features, targets = data()
    start = np.array([[0.0, 2, 0, 0, 1], [1.0, 0, 0, 3, 0]])
    bias = np.array([0.5, -0.5])
    ends = [
        fit_vectors(features, targets, start, bias, None, strengths=(strength,)).vectors
        for strength in (1e4, 1.0, 1e-2)
    ]
    away = [float(np.linalg.norm(vectors - start)) for vectors in ends]
    assert away[0] < 1e-3 < away[1] < away[2]
    folds = np.arange(len(targets)) // 2 % 4
    twice = np.repeat(features[::2], 2, axis=0)  # each with both labels: nothing is to be learned
    kept = fit_vectors(twice, targets, np.zeros((2, 5)), np.zeros(2), folds)
    assert np.isinf(kept.strength) and not kept.vectors.any()
    learned = fit_vectors(features, targets, np.zeros((2, 5)), np.zeros(2), folds)
    assert np.isfinite(learned.strength) and learned.corrected is not None
    assert kept.tried == learned.tried == 7
    without = fit_vectors(twice, targets, start, bias, folds, keeps_start=False)
    assert np.isfinite(without.strength) and without.tried == 6


def test_the_corrected_share_repeats_the_choice_without_each_fold() -> None:
    features, targets = data(24)
    folds = np.arange(24) // 2 % 3
    start, bias, strengths = np.zeros((2, 5)), np.zeros(2), (1.0, 1e-3)
    found = fit_vectors(features, targets, start, bias, folds, strengths=strengths)
    scores = np.empty((2, 24, 2))
    for place, strength in enumerate(strengths):
        for fold in range(3):
            rest, held = folds != fold, folds == fold
            # The scale of the pull is that of all features.
            scale = (features**2).sum(1).mean() / (features[rest] ** 2).sum(1).mean()
            part = fit_vectors(
                features[rest], targets[rest], start, bias, None, strengths=(strength * scale,)
            )
            logits = features[held] @ part.vectors.T
            scores[place, held] = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    likely = scores[:, np.arange(24), targets]
    right = 0
    for fold in range(3):
        pick = int(likely[:, folds != fold].mean(axis=1).argmax())
        held = folds == fold
        right += int((scores[pick, held].argmax(axis=1) == targets[held]).sum())
    assert found.corrected == pytest.approx(right / 24)
    assert found.strength == strengths[int(likely.mean(axis=1).argmax())]


@pytest.mark.parametrize("name", ["tiny_masked", "tiny_causal", "tiny_seq2seq"])
def test_vectors_that_stay_are_the_verbalizer(
    fresh: Fresh, task: Task, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptlab.predictors.answer_vector_fit.STRENGTHS", (np.inf,))
    monkeypatch.setattr("promptlab.predictors.answer_vectors.fit_vectors", _fit_with_infinite)
    model, text = fresh(name), "{text} It was {mask}"
    made = AnswerVectorClassifier(text, model, WORDS).fit(task.train)
    words = pl.PromptClassifier(text, WORDS, model)
    for own, other in zip(made.predict(task.dev), words.predict(task.dev), strict=True):
        assert own.scores is not None and other.scores is not None
        assert own.scores == pytest.approx(other.scores, abs=1e-4)
    assert made.facts()["answer_search"]["strength"] is None
    near = made.facts()["answer_search"]["nearest"]
    assert near["positive"][0][0] == "good" and near["negative"][0][0] == "bad"


def _fit_with_infinite(*args: object, **options: object) -> object:
    return fit_vectors(*args, **options, strengths=(np.inf,))  # type: ignore[arg-type]


def test_prompts_are_read_once_and_it_learns(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    made = AnswerVectorClassifier(TEXT, model, WORDS).fit(task.train)
    made.predict(task.dev)
    computed = model.usage.computed_tokens
    again = AnswerVectorClassifier(TEXT, model).fit(task.train)
    rows = again.predict(task.dev)
    assert computed > 0 and model.usage.computed_tokens == computed
    assert again.model.usage.computed_tokens == 0  # type: ignore[attr-defined]
    assert rows.labels and set(again.labels) == set(task.labels)
    assert made.evaluate(task.train).accuracy >= 0.5
    notes = again.facts()["answer_search"]
    assert notes["start"] is None and notes["tried"] == 6 and notes["folds"] == 5
    assert set(notes["nearest"]) == set(task.labels)


def test_saved_and_loaded(fresh: Fresh, task: Task, tmp_path: Path) -> None:
    model = fresh("tiny_masked")
    made = AnswerVectorClassifier(TEXT, model, WORDS).fit(task.train)
    folder = made.save(tmp_path / "saved")
    assert (folder / "learned.safetensors").is_file()
    again = pl.load(folder, fresh("tiny_masked"))
    assert [row.scores for row in again.predict(task.dev)] == [
        row.scores for row in made.predict(task.dev)
    ]
    assert again.facts() == made.facts()
    document = json.loads((folder / "predictor.json").read_text())
    document["settings"]["labels"].append("neutral")
    (folder / "predictor.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="2 vectors for 3 labels"):
        pl.load(folder, model).predict(task.dev)
    AnswerVectorClassifier(TEXT, model).save(tmp_path / "empty")
    with pytest.raises(NotFittedError, match="call fit"):
        pl.load(tmp_path / "empty", model).predict(task.dev)


def test_what_is_refused(masked: LocalModel, task: Task) -> None:
    with pytest.raises(CapabilityError):
        AnswerVectorClassifier(TEXT, ScriptedModel())
    with pytest.raises(InputError, match="two labels or more"):
        AnswerVectorClassifier(TEXT, masked).fit(["a film"], ["good"])
    with pytest.raises(VerbalizerError, match="no answer for the label"):
        AnswerVectorClassifier(TEXT, masked, {"positive": "good", "neutral": "so"}).fit(task.train)
    with pytest.raises(InputError, match="can write none of the answers"):
        AnswerVectorClassifier(TEXT, masked, WORDS | {"negative": "漢"}).fit(task.train)


def test_nearest_words_by_hand(masked: LocalModel) -> None:
    """A vector that is a word's row is nearest to that word, whatever is added to all of them."""
    head = masked.engine.network.vocabulary_head
    ids = [masked.tokenizer.convert_tokens_to_ids(word) for word in ("good", "bad")]
    rows = head.rows(torch.tensor(ids)).numpy().astype(float)
    mean = rows.mean(axis=0)
    found = nearest_words(masked, rows, 2)
    assert [own[0][0] for own in found] == ["good", "bad"]
    assert nearest_words(masked, rows + 7 * mean, 2) == [
        [(word, pytest.approx(cosine)) for word, cosine in own] for own in found
    ]
