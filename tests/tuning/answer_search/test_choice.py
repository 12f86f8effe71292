from __future__ import annotations

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.data.folds import text_folds
from promptlab.evaluation.predictions import Predictions
from promptlab.tuning.answer_search.choice import choose_on_dev

LABELS = ("no", "yes")


def accuracy(rows: Predictions) -> float:
    return sum(rows.correct) / len(rows)


def examples(targets: np.ndarray) -> list[Example]:
    return [Example(str(n), {"text": f"text {n}"}, LABELS[t]) for n, t in enumerate(targets)]


def scores(right: np.ndarray, targets: np.ndarray, sure: float = 0.9) -> np.ndarray:
    """Label log-probabilities of answers that are right or not on every example."""
    found = np.empty((*right.shape, 2))
    for answer, row in enumerate(right):
        for place, target in enumerate(targets):
            said = target if row[place] else 1 - target
            found[answer, place, said] = np.log(sure)
            found[answer, place, 1 - said] = np.log(1 - sure)
    return found


def test_the_correction_by_hand() -> None:
    """Two answers, two folds of two: A is right on fold 0 alone, B on fold 1 and once on fold 0.

    Dev chooses B (3 of 4). Without fold 0 the choice is B (2 against 0), which is right once on
    fold 0; without fold 1 it is A (2 against 1), which is never right on fold 1: 1 of 4.
    """
    targets = np.array([0, 1, 0, 1])
    right = np.array([[1, 1, 0, 0], [1, 0, 1, 1]], dtype=bool)
    found = choose_on_dev(
        scores(right, targets),
        examples(targets),
        LABELS,
        targets,
        np.array([0, 0, 1, 1]),
        accuracy,
    )
    assert (found.place, found.value) == (1, 0.75)
    assert (found.corrected, found.folds) == (0.25, 2)


def test_of_equals_the_likelier_then_the_earlier() -> None:
    targets = np.array([0, 1])
    right = np.ones((3, 2), dtype=bool)
    table = np.concatenate([scores(right[:1], targets, 0.8), scores(right[1:], targets, 0.9)])
    found = choose_on_dev(table, examples(targets), LABELS, targets, None, accuracy)
    assert (found.place, found.corrected, found.folds) == (1, None, 0)


def test_one_answer_needs_no_correction() -> None:
    targets = np.array([0, 1, 0, 1, 1])
    right = np.array([[1, 1, 0, 1, 0]], dtype=bool)
    folds = np.array([0, 0, 1, 1, 2])
    found = choose_on_dev(
        scores(right, targets), examples(targets), LABELS, targets, folds, accuracy
    )
    assert found.value == found.corrected == pytest.approx(0.6)


def test_answers_that_are_all_alike_look_good_as_chosen_and_not_when_corrected() -> None:
    """200 answers that guess: the best of them is far above one half on dev by luck alone."""
    chance = np.random.default_rng(0)
    raw, corrected = [], []
    for seed in range(30):
        targets = chance.integers(0, 2, 60)
        right = chance.random((200, 60)) < 0.5
        rows = examples(targets)
        folds = text_folds(rows, targets, 5, seed)
        found = choose_on_dev(scores(right, targets), rows, LABELS, targets, folds, accuracy)
        assert found.corrected is not None
        raw.append(found.value)
        corrected.append(found.corrected)
    assert np.mean(raw) > 0.62
    assert abs(np.mean(corrected) - 0.5) < 0.04


def test_what_is_the_same_text_is_in_one_fold() -> None:
    rows = [Example(str(n), {"text": f"Text  {n // 3}"}, "no") for n in range(30)]
    targets = np.array([n // 3 % 2 for n in range(30)])
    folds = text_folds(rows, targets, 5, 13)
    assert folds is not None
    assert len(set(folds.tolist())) == 5
    for start in range(0, 30, 3):
        assert len(set(folds[start : start + 3].tolist())) == 1
    again = text_folds(rows, targets, 5, 13)
    assert again is not None and (again == folds).all()


@pytest.mark.parametrize("texts", [["one"], ["one", "one"], []])
def test_too_few_texts_make_no_folds(texts: list[str]) -> None:
    rows = [Example(str(n), {"text": text}, "no") for n, text in enumerate(texts)]
    assert text_folds(rows, np.zeros(len(rows), dtype=np.int64), 5, 13) is None
