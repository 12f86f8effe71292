"""The control that knows words and no language."""

from __future__ import annotations

import pytest

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.bag_of_words import BagOfWords


def examples(*pairs: tuple[str, str | None]) -> list[Example]:
    return [Example(str(n), {"text": text}, label) for n, (text, label) in enumerate(pairs)]


TRAIN = examples(
    ("a good film", "yes"), ("good plot", "yes"), ("a bad film", "no"), ("bad plot", "no")
)


def test_words_are_learned_and_the_same_each_time() -> None:
    asked = examples(("good", "yes"), ("so bad", "no"), ("unheard", None))
    rows = BagOfWords(TRAIN).predict(asked)
    assert rows.labels[:2] == ["yes", "no"]
    assert rows.correct == [True, True, False]
    assert rows.tokens == 0
    assert BagOfWords(TRAIN).predict(asked).labels == rows.labels
    assert not BagOfWords(TRAIN).predict([])


def test_every_field_is_read() -> None:
    train = [
        Example(str(n), {"subject": "hello", "body": text}, label)
        for n, (text, label) in enumerate([("refund", "bill"), ("refund", "bill"),
                                           ("login", "it"), ("login", "it")])
    ]  # fmt: skip
    asked = [Example("x", {"subject": "hello", "body": "login please"}, "it")]
    assert BagOfWords(train).predict(asked).labels == ["it"]


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ([], "none has a label"),
        (examples(("a", None)), "none has a label"),
        (examples(("a", "yes"), ("b", "yes")), "all have the label 'yes'"),
        (examples(("a", "yes"), ("b", "yes"), ("c", "no")), "too few"),
        (examples(("?", "yes"), ("!", "yes"), ("…", "no"), (".", "no")), "hold no words"),
    ],
)
def test_what_it_cannot_learn_from(train: list[Example], told: str) -> None:
    with pytest.raises(InputError, match=told):
        BagOfWords(train)
