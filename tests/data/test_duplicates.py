"""Which examples are the same text, and what is told about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.duplicates import find_duplicates, text_key, text_numbers
from promptlab.data.example import Example


def of(text: str, label: str | None = None, id: str = "1") -> Example:
    return Example(id, {"text": text}, label)


@pytest.mark.parametrize(
    "other",
    [
        "good film, café",
        "  Good   film,\ncafé ",
        "GOOD FILM, CAFÉ",
        "good film, cafe\u0301",
        "ｇｏｏｄ film, café",
        "good\u00a0film, café",
        "good film,\u200b café\ufeff",
    ],
)
def test_one_text_in_many_writings(other: str) -> None:
    assert text_key(of(other, "b", "2")) == text_key(of("Good film, café", "a"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2²?", "What is 22?"),
        ("H₂O", "H2O"),
        ("1½ cups", "11⁄2 cups"),
        ("good film", "good film!"),
        ("goodfilm", "good film"),
        ("cafe", "café"),
        ("I like it", "I like it not"),
    ],
)
def test_different_texts_stay_apart(one: str, other: str) -> None:
    assert text_key(of(one)) != text_key(of(other))


def test_fields_do_not_run_into_each_other() -> None:
    one = Example("1", {"premise": "a b", "hypothesis": "c"})
    other = Example("2", {"premise": "a", "hypothesis": "b c"})
    turned = Example("3", {"hypothesis": "C", "premise": "A  b"})
    assert text_key(one) != text_key(other)
    assert text_key(one) == text_key(turned)


@given(st.text(), st.text())
def test_keys_do_not_change_by_writing_again(one: str, other: str) -> None:
    key = text_key(of(one))
    assert text_key(of(f" {one}\n")) == key
    assert text_key(of(key.removeprefix("text\x1e"))) == key or "\x1e" in one
    if one.split() != other.split() and one.isascii() and other.isascii():
        assert (key == text_key(of(other))) == (one.lower().split() == other.lower().split())


def test_repeats_and_contradictions_are_told() -> None:
    rows = [
        of("Great!", "good", "1"),
        of("great!", "good", "2"),
        of("dull", "bad", "3"),
        of("GREAT!", "bad", "4"),
        of("fine", "good", "5"),
        of("dull ", "bad", "6"),
    ]
    found = find_duplicates(rows)
    assert (found.rows, found.distinct, found.extra) == (6, 3, 3)
    assert [[e.id for e in group] for group in found.groups] == [["1", "2", "4"], ["3", "6"]]
    assert [[e.id for e in group] for group in found.contradictions] == [["1", "2", "4"]]
    copies, labels = found.remarks()
    assert "3 of 6 examples repeat the text of another one (3 different texts)" in copies
    assert "'Great!' stands 3 times (1, 2, 4); 'dull' stands 2 times (3, 6)" in copies
    assert "1 text has contradictory labels: 'Great!' is good (1, 2), bad (4)" in labels
    assert text_numbers(rows) == [0, 0, 1, 0, 2, 1]
    assert find_duplicates(rows[2:3]).remarks() == []
    assert found.row()["contradictory"] == [
        {"text": "Great!", "labels": {"1": "good", "2": "good", "4": "bad"}}
    ]
