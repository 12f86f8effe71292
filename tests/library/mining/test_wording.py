"""Mined wordings: made uniform, judged by their faults, compared."""

from __future__ import annotations

import pytest

from promptlab.library.mining.wording import (
    WordingFilter,
    is_answer_last,
    normalise,
    similarity_key,
    usable_models,
)


@pytest.mark.parametrize(
    ("text", "uniform"),
    [
        ("{mask}  is\n the capital of {x}", "{mask} is the capital of {x}"),
        ("capital of {x} is {mask}", "Capital of {x} is {mask}"),
        ("Capital of {x} is {mask}", "Capital of {x} is {mask}"),
        (" {x}'s capital {mask} ", "{x}'s capital {mask}"),
    ],
)
def test_white_space_and_the_first_letter_are_uniform(text: str, uniform: str) -> None:
    assert normalise(text) == uniform


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{mask} is in {x}", None),
        ("{mask} is a b c {x}", None),
        ("{mask} is a b c d {x}", "too many words"),
        ("{mask} ({x})", "no word"),
        ("{mask}, 1918 {x}", "no word"),
        ("{mask} is {{x}}", "markup or braces"),
        ("{mask} is [SEP] {x}", "markup or braces"),
        ("{mask} is</s> {x}", "markup or braces"),
        ("{mask} is \\ {x}", "markup or braces"),
        ("{mask} see www.site.org {x}", "markup or braces"),
        ("{mask} is\x1b {x}", "markup or braces"),
        ("{mask} is\u200b {x}", "markup or braces"),
        ("{mask} \u0645\u06cc\u200c\u0631\u0648\u062f {x}", None),
        ("{mask} is", "a slot lost"),
        ("{x} is in {x} {mask}", "a slot lost"),
    ],
)
def test_faults(text: str, fault: str | None) -> None:
    assert WordingFilter("x", 4).fault(text) == fault


def test_near_duplicates_have_one_key() -> None:
    same = [
        "{mask} is the capital of {x}",
        "{mask}, is a Capital of {x}",
        "{mask} is capital of the {x}",
    ]
    assert len({similarity_key(text) for text in same}) == 1
    others = [
        "{mask} was the capital of {x}",
        "{mask} is the capital city of {x}",
        "{x} is the capital of {mask}",
    ]
    assert len({similarity_key(text) for text in [same[0], *others]}) == 4


def test_templates_with_the_slot_first_come_with_a_caution() -> None:
    assert is_answer_last("{x} has the capital {mask}")
    assert not is_answer_last("{x} has the capital {mask}.")
    assert usable_models("{x} has the capital {mask}").startswith("every family")
    assert "a causal model cannot see" in usable_models("{mask} is the capital of {x}")
