from __future__ import annotations

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.tuning.label_word_probe import find_label_words

DIM, VOCABULARY = 16, 200


def synthetic(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features around a direction a class; word 10 + c and 20 + c lie in class c's direction."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0][:classes]
    labels = np.repeat(np.arange(classes), 20)
    features = 40 + 3 * directions[labels] + rng.normal(size=(len(labels), DIM)) * 0.5
    rows = 7 + rng.normal(size=(VOCABULARY, DIM)) * 0.3
    for label in range(classes):
        rows[10 + label] += 5 * directions[label]
        rows[20 + label] += 4 * directions[label]
    return features, labels, rows


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_the_right_words_are_found(classes: int) -> None:
    features, labels, rows = synthetic(classes)
    allowed = np.ones(VOCABULARY, dtype=bool)
    found = find_label_words(features, labels, rows, classes=classes, allowed=allowed, top=2)
    assert found.accuracy == 1
    for label, words in enumerate(found.words):
        assert {word.token for word in words} == {10 + label, 20 + label}
        assert words[0].score >= words[1].score > 0


def test_words_that_are_not_allowed_are_passed_over() -> None:
    features, labels, rows = synthetic(2)
    allowed = np.ones(VOCABULARY, dtype=bool)
    allowed[[10, 21]] = False
    found = find_label_words(features, labels, rows, classes=2, allowed=allowed, top=1)
    assert [[word.token for word in words] for words in found.words] == [[20], [11]]


def test_a_word_stands_for_one_class() -> None:
    features, labels, rows = synthetic(3)
    allowed = np.ones(VOCABULARY, dtype=bool)
    found = find_label_words(features, labels, rows, classes=3, allowed=allowed, top=20)
    tokens = [word.token for words in found.words for word in words]
    assert len(tokens) == len(set(tokens)) == 60


def test_far_words_are_told_apart() -> None:
    features, labels, rows = synthetic(2)
    rows[:40] *= 1e4
    allowed = np.zeros(VOCABULARY, dtype=bool)
    allowed[[10, 11, 20, 21]] = True
    found = find_label_words(features, labels, rows, classes=2, allowed=allowed, top=2)
    assert [[word.token for word in words] for words in found.words] == [[10, 20], [11, 21]]


def test_bad_input_is_named() -> None:
    features, labels, rows = synthetic(2)
    every = np.ones(VOCABULARY, dtype=bool)
    with pytest.raises(InputError, match="label number 2"):
        find_label_words(features, labels, rows, classes=3, allowed=every)
    with pytest.raises(InputError, match="at least one"):
        find_label_words(features, labels, rows, classes=2, allowed=every, top=0)
    with pytest.raises(InputError, match="no word is allowed"):
        find_label_words(features, labels, rows, classes=2, allowed=~every)
    with pytest.raises(InputError, match="are wanted; ask for fewer"):
        find_label_words(features, labels, rows, classes=2, allowed=every, top=190)
    with pytest.raises(InputError, match="there are 1"):
        find_label_words(features, labels, rows, classes=1, allowed=every)
