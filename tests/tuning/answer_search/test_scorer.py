from __future__ import annotations

import numpy as np
import pytest

from promptlab.predictors.calibration import calibration_prior
from promptlab.prompts.verbalizer import Aggregation, Verbalizer
from promptlab.tuning.answer_search import scorer as module
from promptlab.tuning.answer_search.beam import padded_answers
from promptlab.tuning.answer_search.scorer import AnswerScorer

WORDS = 14
LABELS = ("a", "b", "c")


def random_answers(chance: np.random.Generator, count: int, most: int) -> list:
    found = []
    for _ in range(count):
        words = chance.permutation(WORDS).tolist()
        found.append(tuple(tuple(words.pop() for _ in range(chance.integers(1, most + 1)))
                           for _ in LABELS))  # fmt: skip
    return found


def slow_scores(
    logprobs: np.ndarray, free: np.ndarray | None, answer: tuple, aggregation: Aggregation
) -> np.ndarray:
    """One answer as the classifier scores it: its verbalizer, its calibration, its columns."""
    words = {label: [f"w{w}" for w in own] for label, own in zip(LABELS, answer, strict=True)}
    verbalizer = Verbalizer(words, aggregation=aggregation)
    columns = [int(word[1:]) for word in verbalizer.answers]
    prior = 0 if free is None else calibration_prior("contextual", free[:, columns])
    return verbalizer.label_scores(logprobs[:, columns] - prior)


@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("most", [1, 3])
def test_all_at_once_is_one_after_the_other(
    aggregation: Aggregation, calibrated: bool, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_NUMBERS", 500)  # several blocks
    chance = np.random.default_rng(0)
    logprobs = chance.normal(-5, 2, (11, WORDS))
    free = chance.normal(-5, 2, (3, WORDS)) if calibrated else None
    targets, folds = chance.integers(0, 3, 11), chance.integers(0, 2, 11)
    answers = random_answers(chance, 40, most)
    made = AnswerScorer(logprobs, free, aggregation=aggregation)
    fast = made.label_logprobs(padded_answers(answers))
    slow = np.stack([slow_scores(logprobs, free, answer, aggregation) for answer in answers])
    assert fast == pytest.approx(slow, abs=1e-9)
    quality = made.quality(padded_answers(answers), targets, folds)
    for number, table in enumerate(slow):
        for fold in (0, 1):
            rows = np.flatnonzero(folds == fold)
            right = sum(int(table[i].argmax() == targets[i]) for i in rows)
            assert quality.right[number, fold] == right
            likely = sum(table[i, targets[i]] for i in rows)
            assert quality.loglikelihood[number, fold] == pytest.approx(likely)


def test_the_best_is_right_most_often_and_of_equals_the_likelier() -> None:
    logprobs = np.log(np.array([[0.4, 0.2, 0.1], [0.2, 0.3, 0.6]]))
    picks = np.array([[[0], [1]], [[0], [2]], [[1], [0]]])
    found = AnswerScorer(logprobs).quality(picks, np.array([0, 1]))
    assert found.right[:, 0].tolist() == [2, 2, 0]
    assert found.order().tolist() == [1, 0, 2]


def test_five_thousand_assignments_are_a_few_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one by one: the number of blocks does not grow with the assignments."""
    blocks = []
    chance = np.random.default_rng(0)
    made = AnswerScorer(chance.normal(size=(200, 142)), stop=lambda: blocks.append(1))
    picks = np.array([[a, 71 + b] for a in range(71) for b in range(71)])
    assert len(picks) > 5000
    found = made.quality(picks[:, :, None], chance.integers(0, 2, 200))
    assert found.right.shape == (len(picks), 1)
    assert len(blocks) == 1
