"""In which words two instructions differ, worked by hand."""

from __future__ import annotations

from promptlab.tuning.instruction_search.requests import list_differences
from promptlab.tuning.instruction_search.word_differences import WordDifference, word_differences


def test_the_vector_between_two_instructions_by_hand() -> None:
    first = "Your task is to classify the review as positive or negative."
    second = "Your task is to decide whether the comment is positive or negative."
    assert word_differences(first, second) == [
        WordDifference("classify", "decide whether"),
        WordDifference("review as", "comment is"),
    ]


def test_words_that_were_added_or_left_out() -> None:
    assert word_differences("Name it now.", "Name it.") == [WordDifference("now.", "")]
    assert word_differences("Name it.", "Please name it.") == [WordDifference("", "Please")]
    assert word_differences("", "Name it.") == [WordDifference("", "Name it.")]


def test_marks_and_case_are_no_difference() -> None:
    assert word_differences("Name it, now!", "name it now.") == []
    assert list_differences("Name it!", "name it") == "(none)"


def test_there_and_back_again() -> None:
    """The first text with its differing words replaced is the second one."""
    first, second = "a b c d e f", "a x c e y z f"
    words, found = first, word_differences(first, second)
    assert [(one.first, one.second) for one in found] == [("b", "x"), ("d", ""), ("", "y z")]
    for before, after in (("b", "x"), (" d", ""), ("e f", "e y z f")):
        words = words.replace(before, after, 1)
    assert words == second
