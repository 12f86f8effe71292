from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.tuning.answer_search import candidates
from promptlab.tuning.answer_search.candidates import assignments, candidate_words, word_scores
from tests.tuning.answer_search.test_statistics import statistics

PROBABILITIES = np.array(
    [  #  the   good   bad   film  rare
        [0.50, 0.200, 0.02, 0.10, 0.0010],
        [0.50, 0.200, 0.02, 0.10, 0.0010],
        [0.52, 0.010, 0.10, 0.11, 0.0001],
        [0.52, 0.010, 0.10, 0.11, 0.0001],
    ]
)
LABELS = [0, 0, 1, 1]
NAMES = ("positive", "negative")
THE, GOOD, BAD, FILM, RARE = range(5)


def test_by_likelihood_the_frequent_words_lead() -> None:
    found = candidate_words(
        statistics(PROBABILITIES, LABELS), NAMES, top=3, ranking="likelihood", distinct=False
    )
    assert found == [[THE, GOOD, FILM], [THE, FILM, BAD]]


def test_a_distinct_word_is_left_to_the_label_that_raises_it() -> None:
    found = candidate_words(statistics(PROBABILITIES, LABELS), NAMES, top=3, ranking="likelihood")
    assert found == [[GOOD, RARE], [THE, FILM, BAD]]


def test_by_ratio_the_telling_words_lead() -> None:
    found = candidate_words(statistics(PROBABILITIES, LABELS), NAMES, top=2, ranking="ratio")
    assert found == [[GOOD, RARE], [BAD, FILM]]


def test_the_ratio_ranks_likely_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "POOL", 3)
    found = word_scores(statistics(PROBABILITIES, LABELS), "ratio")
    assert np.isfinite(found).tolist() == [
        [True, True, False, True, False],
        [True, False, True, True, False],
    ]
    words = candidate_words(statistics(PROBABILITIES, LABELS), NAMES, top=2, ranking="ratio")
    assert words == [[GOOD], [BAD, FILM]]


def test_too_few_words_are_told() -> None:
    with pytest.raises(InputError, match="only 2 words stand out for the label 'positive', and 3"):
        candidate_words(
            statistics(PROBABILITIES, LABELS), NAMES, top=3, ranking="likelihood", least=3
        )


def test_all_combinations_without_a_word_twice() -> None:
    scores = np.zeros((2, 3))
    found = assignments([[0, 1], [1, 2]], scores, 100)
    assert found.tolist() == [[0, 1], [0, 2], [1, 2]]


@pytest.mark.parametrize("most", [1, 7, 59])
def test_of_more_combinations_the_best_ranked_are_taken(most: int) -> None:
    chance = np.random.default_rng(3)
    scores = chance.normal(size=(3, 12))
    given = [[0, 1, 2, 3], [4, 5, 6, 7, 8], [8, 9, 10]]
    ranked = [sorted(own, key=lambda w, of=of: -scores[of, w]) for of, own in enumerate(given)]
    every = [pick for pick in product(*ranked) if len(set(pick)) == 3]
    assert len(every) > 50
    every.sort(key=lambda pick: -sum(scores[label, word] for label, word in enumerate(pick)))
    found = assignments(ranked, scores, most)
    assert found.tolist() == [list(pick) for pick in every[:most]]


def test_many_labels_do_not_need_the_whole_product() -> None:
    scores = -np.arange(900, dtype=float)[None].repeat(30, axis=0)
    given = [list(range(30 * label, 30 * label + 30)) for label in range(30)]
    found = assignments(given, scores, 200)
    assert len({tuple(row) for row in found.tolist()}) == 200
    assert found[0].tolist() == [own[0] for own in given]


def test_labels_with_the_same_only_word_are_refused() -> None:
    with pytest.raises(InputError, match="word twice"):
        assignments([[0], [0]], np.zeros((2, 1)), 10)
