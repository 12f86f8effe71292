"""Features of examples, worked by hand."""

from __future__ import annotations

import pytest

from promptlab.errors import InputError
from promptlab.strategies.example_features import example_features

TEXTS = ["plot drags, sound good", "plot shines, sound bad", "engine stalls, sound bad",
         "engine roars, sound good"]  # fmt: skip
DOMAINS = ["films", "films", "cars", "cars"]


def test_words_that_tell_most_of_the_domain_come_first() -> None:
    """plot and engine tell the domain; drags tells some of it; good, bad and sound nothing."""
    assert example_features(TEXTS, DOMAINS, count=2) == [
        "films: plot, drags", "films: plot, shines", "cars: engine, stalls", "cars: engine, roars"
    ]  # fmt: skip


def test_a_word_of_another_domain_is_no_feature() -> None:
    texts = ["plot drags", "plot shines", "plot engine", "engine stalls", "engine roars"]
    domains = ["films", "films", "films", "cars", "cars"]
    assert example_features(texts, domains, count=2)[2] == "films: plot"


def test_without_domains_rare_words_weigh_most() -> None:
    assert example_features(TEXTS, count=1) == ["drags", "shines", "stalls", "roars"]


def test_texts_without_words() -> None:
    assert example_features(["plot", "..."], ["films", "cars"]) == ["films: plot", "cars"]
    assert example_features(["the", "of"]) == ["", ""]
    assert example_features(["the"], ["films"]) == ["films"]


def test_bad_input() -> None:
    with pytest.raises(InputError, match="2 texts and 1 domains"):
        example_features(["a", "b"], ["x"])
    with pytest.raises(InputError, match="count is 0"):
        example_features(["a"], count=0)
