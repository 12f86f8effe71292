"""Patterns of users: what is one, what is refused before it can do harm."""

from __future__ import annotations

import time

import pytest

from promptlab.errors import InputError
from promptlab.prompts.jinja.patterns import check_pattern, search_pattern
from promptlab.prompts.parsers.parsers import RegexParser


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?a)(?u)(x)", "no regular expression"),
        ("(", "no regular expression"),
        ("(x{4294967295})", "repeats so much"),
        ("(x{99999999})", "repeats so much"),
        ("((x{1000}){1000})", "repeats so much"),
        ("(((x{50}){50}){50})", "repeats so much"),
        ("(" * 4000 + "x" + ")" * 4000, "no regular expression"),
        ("(" + "x" * 10_000 + ")", "at most 10,000"),
        ("(?R)(x)", "no regular expression"),
        ("(?P<a>x)(?P<a>y)", "no regular expression"),
        ("(?<=x*)(y)", "no regular expression"),
        ("x", "has no group"),
    ],
)
def test_what_is_refused(pattern: str, said: str) -> None:
    begun = time.thread_time()
    with pytest.raises(InputError, match=said):
        RegexParser(pattern)
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"(\d{4}-\d{2}-\d{2})", "on 2024-05-06", "2024-05-06"),
        (r"[{(]{2}(\w+)", "({x", "x"),
        (r"\{(\d+),(\d+)\}", "{12,13}", "12"),
        (r"[]{5}]+(a{3})", "]5}aaa", "aaa"),
        (r"(?i)answer: (yes|no)", "ANSWER: No", "No"),
        (r"(a)|b", "b", None),
    ],
)
def test_ordinary_patterns(pattern: str, text: str, found: str | None) -> None:
    check_pattern(pattern)
    assert search_pattern(pattern, text) == found


@pytest.mark.parametrize("pattern", ["(a+)+(b)", "((a|aa)+)c"])
def test_a_search_without_end_is_given_up(pattern: str) -> None:
    begun = time.thread_time()
    with pytest.raises(InputError, match="takes more than"):
        search_pattern(pattern, "a" * 5000)
    assert time.thread_time() - begun < 3
