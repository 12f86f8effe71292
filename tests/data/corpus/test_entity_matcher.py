"""Names in texts: whole words, the longest, as a plain search finds them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.data.corpus.entity_matcher import EntityMatcher


def named(names: list[str], text: str, **options: bool) -> list[tuple[str, str]]:
    """Each mention as its entity's name and as it stands in the text."""
    found = EntityMatcher(names, **options).find(text)
    return [(names[m.entity], text[m.start : m.stop]) for m in found]


@pytest.mark.parametrize(
    ("names", "text", "found"),
    [
        (["Mexico", "Mexico City"], "Mexico City, Mexico", ["Mexico City", "Mexico"]),
        (["Paris"], "Parisian Paris, Paris's", ["Paris", "Paris"]),
        (["Saint John's"], "in Saint John\u2019s.", ["Saint John\u2019s"]),
        (["New  York"], "New\nYork", ["New\nYork"]),
        (["York", "New York City"], "New York City York", ["New York City", "York"]),
        (["Turkey"], "a turkey in Turkey", ["Turkey"]),
        (["\u6771\u4eac"], "\u65e5\u672c\u306e\u6771\u4eac\u3067\u3059", ["\u6771\u4eac"]),
        (["\u0928\u0908"], "\u0928\u0908 \u0928\u0908\u093e", ["\u0928\u0908"]),
        (["C++"], "C and C++ and C+", ["C++"]),
    ],
)
def test_names_are_found(names: list[str], text: str, found: list[str]) -> None:
    assert [shown for _, shown in named(names, text)] == found


def test_in_any_case_if_that_is_asked_for() -> None:
    assert named(["Turkey"], "TURKEY turkey", ignore_case=True) == [
        ("Turkey", "TURKEY"),
        ("Turkey", "turkey"),
    ]
    assert EntityMatcher(["Rome", "ROME", "Oslo"], ignore_case=True).ids == [0, 0, 2]
    assert EntityMatcher(["Rome", "ROME", "Oslo"]).ids == [0, 1, 2]


WORDS = st.sampled_from(["a", "b", "ab", "c"])
NAMES = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=5)


@settings(max_examples=150)
@given(NAMES, st.lists(WORDS, max_size=12).map(" ".join))
def test_as_a_plain_search_finds_them(names: list[str], text: str) -> None:
    """An alternation of all names, the longest first, between boundaries of words."""
    longest = sorted(set(names), key=lambda name: -len(name.split()))
    plain = re.compile(r"\b(?:" + "|".join(map(re.escape, longest)) + r")\b")
    expected = [(match[0], match.start()) for match in plain.finditer(text)]
    found = EntityMatcher(names).find(text)
    assert [(text[m.start : m.stop], m.start) for m in found] == expected
    assert all(names[m.entity] == text[m.start : m.stop] for m in found)
