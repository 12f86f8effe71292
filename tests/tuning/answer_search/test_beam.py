from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from promptlab.tuning.answer_search.beam import (
    padded_answers,
    propose_assignments,
    propose_many_to_one,
)
from promptlab.tuning.answer_search.candidates import assignments
from promptlab.tuning.answer_search.scorer import NONE, AnswerScorer

LOGPROBS = np.log(
    np.array(
        [  # good  fine   bad  dull
            [0.30, 0.01, 0.02, 0.01],
            [0.01, 0.30, 0.02, 0.02],
            [0.02, 0.01, 0.30, 0.01],
            [0.03, 0.02, 0.02, 0.30],
        ]
    )
)
TARGETS = np.array([0, 0, 1, 1])
CANDIDATES = [[0, 1], [2, 3]]
PICKS = assignments(CANDIDATES, np.zeros((2, 4)), 100)


def test_padding() -> None:
    found = padded_answers([((0,), (1, 2)), ((3, 4), (5,))])
    assert found.tolist() == [[[0, NONE], [1, 2]], [[3, 4], [5, NONE]]]


def test_assignments_by_hand() -> None:
    """good/bad is right on rows 1 and 3 and wrong on 2 and 4; good/dull on 1, 4 and (even) 2, 3.

    Row 2 under good/dull: 0.01 against 0.02, wrong; row 3: 0.02 against 0.01, wrong.
    fine/bad: row 2, row 3 right, row 1 (0.01, 0.02) wrong, row 4 (0.02, 0.02) a tie, so the first
    label: wrong. fine/dull: rows 2, 4; row 1 a tie: right; row 3 a tie: wrong.
    """
    found = propose_assignments(AnswerScorer(LOGPROBS), TARGETS, PICKS, kept=2)
    assert found.tried == 4
    assert found.answers[0] == ((1,), (3,))
    assert found.right[0] == 0.75
    assert len(found.answers) == 2


def test_words_joined_are_right_on_all_four() -> None:
    found = propose_many_to_one(
        AnswerScorer(LOGPROBS), TARGETS, PICKS, CANDIDATES, words=2, beam=8, kept=100
    )
    assert {tuple(sorted(own)) for own in found.answers[0]} == {(0, 1), (2, 3)}
    assert found.right[0] == 1.0
    expected = [0.31 / 0.34, 0.31 / 0.35, 0.31 / 0.34, 0.32 / 0.37]
    assert found.loss[0] == pytest.approx(-np.log(expected).mean(), abs=1e-12)


def test_one_word_is_the_assignment_search() -> None:
    scorer = AnswerScorer(LOGPROBS)
    alone = propose_assignments(scorer, TARGETS, PICKS, kept=100)
    found = propose_many_to_one(scorer, TARGETS, PICKS, CANDIDATES, words=1, beam=8, kept=100)
    assert (found.answers, found.tried) == (alone.answers, alone.tried)


def every_answer(candidates: list[list[int]], words: int) -> list:
    sides = [
        [own for size in range(1, words + 1) for own in combinations(side, size)]
        for side in candidates
    ]
    return [(a, b) for a in sides[0] for b in sides[1]]


def test_a_wide_beam_finds_the_best_of_all_and_a_narrow_one_nothing_better() -> None:
    chance = np.random.default_rng(5)
    logprobs = np.log(chance.dirichlet(np.ones(8), 30))
    targets = chance.integers(0, 2, 30)
    given = [[0, 1, 2, 3], [4, 5, 6, 7]]
    scorer = AnswerScorer(logprobs)
    every = every_answer(given, 3)
    quality = scorer.quality(padded_answers(every), targets)
    best = max(zip(quality.right[:, 0], quality.loglikelihood[:, 0], strict=True))
    picks = assignments(given, np.zeros((2, 8)), 100)
    values = []
    for beam in (1, 1000):
        found = propose_many_to_one(scorer, targets, picks, given, words=3, beam=beam, kept=100)
        assert all(len(own) <= 3 for answer in found.answers for own in answer)
        assert len(set(found.answers)) == len(found.answers)
        values.append((found.right[0] * 30, -found.loss[0] * 30))
    (narrow, likely), (wide, likelier) = values
    assert narrow < wide - 0.5 or (narrow == pytest.approx(wide) and likely <= likelier + 1e-9)
    assert wide < best[0] - 0.5 or (wide == pytest.approx(best[0]) and likelier <= best[1] + 1e-9)


def test_an_answer_never_has_a_word_twice() -> None:
    given = [[0, 1, 2], [1, 2, 3]]
    picks = assignments(given, np.zeros((2, 4)), 100)
    found = propose_many_to_one(
        AnswerScorer(LOGPROBS), TARGETS, picks, given, words=3, beam=50, kept=1000
    )
    for answer in found.answers:
        words = [word for own in answer for word in own]
        assert len(set(words)) == len(words)
