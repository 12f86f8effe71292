"""Open answers: what is the same, and what only looks alike without its signs."""

from __future__ import annotations

import pytest

from promptlab.evaluation.metrics import ExactMatch, NumericMatch
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.prompts.parsers.open_answer import is_same_answer, normalize_answer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-5", "5"),
        ("3.5", "35"),
        ("1/2", "12"),
        ("C++", "C"),
        ("C#", "C"),
        ("F#", "F"),
        ("50%", "50"),
        ("$5", "5"),
        ("m²", "m2"),
        ("[0, 1)", "(0, 1]"),
        ("5!", "5"),
        ("10^3", "103"),
        ("A+", "A"),
        ("1.5", "15"),
        ("+", "-"),
        ("vitamin A", "vitamin"),
        (".NET", "NET"),
        ("x-1", "x1"),
        ("2:30", "230"),
        ("2024-01-05", "20240105"),
        ("a@b.c", "abc"),
        ("I/O", "IO"),
        ("-5 degrees", "5 degrees"),
        ("1,5", "15"),
        ("1e3", "13"),
        ("not", "no"),
        ("<", "> "),
        ("?", "!"),
        ("10-5", "105"),
        ("~5", "5"),
        ("3 1/2", "31/2"),
        ("x=5", "x5"),
        ("no. 5", "no.-5"),
        ("#1", "1"),
        ("R&B", "RB"),
        ("12:00", "1200"),
        ("5'", "5"),
        ("0.10.1", "0.101"),
    ],
)
def test_what_carries_meaning_counts(one: str, other: str) -> None:
    assert not is_same_answer(one, other)
    assert not is_same_answer(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,000", "1000"),
        ("1000.0", "1000"),
        ("½", "0.5"),
        ("1/2", "0.5"),
        ("Paris.", "paris"),
        ("The Eiffel Tower", "eiffel tower"),
        ("“Paris”", "Paris"),
        ("U.S.", "US"),
        ("Paris, France", "paris france"),
        ("1,000 apples", "1000 apples"),
        ("−5", "-5"),
        ("–5", "-5"),
        ("１２", "12"),
        ("42.", "42"),
        ("'42'", "42"),
        ("don’t", "don't"),
        ("Café", "Café"),
        ("1'000", "1000"),
        ("1 000", "1000"),
        ("1e3", "1000"),
        ("10^3", "1000"),
        ("3.50 m", "3.5 m"),
        ("Hello!", "hello"),
        ("(France)", "France"),
        ("it is 5.", "it is 5"),
        ("$1,000", "$1000"),
        ("  a   dog ", "dog"),
        ("O’Brien", "O'Brien"),
        ("007", "7"),
        ("two  words", "two words"),
        ("'tis", "tis"),
    ],
)
def test_what_is_written_otherwise_is_the_same(one: str, other: str) -> None:
    assert normalize_answer(one) == normalize_answer(other)
    rows = Predictions([Prediction("1", one, other)])
    assert ExactMatch().compute(rows) == 1.0


def test_numbers_match_exactly_and_small_ones_relatively() -> None:
    def match(label: str, target: str) -> float:
        return NumericMatch().compute(Predictions([Prediction("1", label, target)]))

    assert match("1/3", "1/3") == match("0.33333333", "1/3") == 1.0
    assert match("0.0000001", "0.0000005") == match("0.33", "1/3") == match("-5", "5") == 0.0
    assert match("123456789", "123456790") == 0.0
    assert match("1e-7", "0.0000001") == 1.0
