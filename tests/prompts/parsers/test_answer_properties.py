"""Properties of parsers and metrics: what is equal, what is hidden, and what is not said."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from promptlab.data.numeral import format_number, parse_number
from promptlab.evaluation.metrics import ExactMatch, NumericMatch
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.prompts.parsers.hidden_reasoning import split_reasoning
from promptlab.prompts.parsers.number import read_number
from promptlab.prompts.parsers.open_answer import normalize_answer
from promptlab.prompts.parsers.parsers import (
    ChoiceParser,
    JsonParser,
    NumberParser,
    Parser,
    RegexParser,
    SpansParser,
    TextParser,
)

OPEN_AND_CLOSED = [
    ("<think>", "</think>"),
    ("<Thinking>\n", "\n</Thinking>"),
    ('<reasoning step="1">', "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought\n", "<channel|>"),
    (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final<|message|>",
    ),
]
PARSERS: list[Parser] = [
    ChoiceParser((("neg", ("negative",)), ("pos", ("positive",)))),
    NumberParser(),
    TextParser(),
    TextParser(("\n",)),
    RegexParser(r"(negative|17|\{)"),
    JsonParser("label"),
    SpansParser(),
]
THOUGHTS = st.lists(
    st.sampled_from(
        ["negative", "17", "The answer is 17.", '{"label": "negative"}', "Anna -> PER", "`", "```",
         "\n", '"', "<", ">", "<think", "<think>", "`</think>`", "answer: negative", "\\boxed{17}",
         "\n\n", " ", "'", "[", "<answer>negative</answer>", "(", "~~~\n"]
    ),
    max_size=12,
).map("".join)  # fmt: skip
WORDS = st.lists(
    st.sampled_from(
        ["a", "I", "The", "the", "film", "was", "not", "made", "in", "time", "answer", "is", "or",
         "pick", "option", ":", ".", ",", "\n", "(", ")", "**", "and", "would", "it", "\\boxed{}",
         "####", "best", "grade", "vitamin", "?"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip
TEXTS = st.text(max_size=24) | st.lists(
    st.sampled_from(
        ["5", "-5", "−5", "3.5", "35", "1/2", "12", "½", "1,000", "1000", "1 000", "1'000", "0",
         "+", "-", "C", "C++", "c", "the", "a", "A", ".", "!", "?", "%", "$", "#", "²", "2", "(",
         ")", "[", "e", "10^3", "1e3", "U.S.", "'", '"', " ", "٣", "３", "x"]
    ),
    max_size=5,
).map("".join)  # fmt: skip


def table(label: str, target: str) -> Predictions:
    return Predictions([Prediction("1", label, target)])


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(OPEN_AND_CLOSED), THOUGHTS, st.sampled_from(["", "\n"]))
@pytest.mark.parametrize("parser", PARSERS, ids=lambda one: repr(one)[:28])
def test_no_parser_reads_what_is_hidden(
    parser: Parser, marks: tuple[str, str], thought: str, gap: str
) -> None:
    opened, closed = marks
    assert parser.parse(f"{opened}{thought}{closed}{gap}Nothing said here.") in (
        None,
        *([] if not isinstance(parser, TextParser) else ["Nothing said here."]),
    )
    assert parser.parse(f"{opened}{thought}") is None or closed in thought


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(OPEN_AND_CLOSED), THOUGHTS, st.text(max_size=20))
def test_what_is_left_is_told_apart_once_and_for_all(
    marks: tuple[str, str], thought: str, answer: str
) -> None:
    found = split_reasoning(f"{marks[0]}{thought}{marks[1]}{answer}").answer
    if found is not None:
        assert split_reasoning(found).answer in (None, found, found.strip())
        assert found in answer or found in thought + marks[1] + answer


@settings(deadline=None, max_examples=600)
@given(WORDS)
@example("A careful reader would pick one")
@example("The answer is none of these")
def test_a_reply_that_names_no_choice_never_yields_one(reply: str) -> None:
    # No "B", "C" or "D" stands in it, and "A" only as an article.
    assume(not re.search(r"\b[BCDbcd]\b", reply))
    letters = ChoiceParser((("B", ("B",)), ("C", ("C",)), ("D", ("D", "delta"))))
    assert letters.parse(reply) is None
    labels = ChoiceParser((("positive", ("positive", "good")), ("negative", ("negative", "bad"))))
    assert labels.parse(reply) is None


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60))
def test_any_text_can_be_read(reply: str) -> None:
    labels = ChoiceParser((("A", ("A",)), ("B", ("B", "very bad")), ("1", ("1",))))
    found = labels.parse(reply)
    if found is not None:
        assert any(word in reply.casefold() for word in ("a", "b", "1", "ａ", "ｂ", "１")) or any(
            not character.isascii() for character in reply
        )
    number = read_number(reply)
    if number is not None:
        assert format_number(Fraction(number)) == number


@settings(deadline=None, max_examples=300)
@given(
    st.fractions(max_denominator=1000), st.sampled_from(["", "The answer is ", "\\boxed{", "= "])
)
def test_a_canonical_number_is_read_as_itself(value: Fraction, mark: str) -> None:
    written = format_number(value)
    reply = f"{mark}{written}" + ("}" if mark.startswith("\\") else "")
    assert read_number(reply) == written
    assert parse_number(written) == value
    assert NumericMatch().compute(table(reply, written)) == 1.0


@settings(deadline=None, max_examples=200)
@given(st.integers(-(10**9), 10**9), st.sampled_from([",", "'", " ", "\u202f", "\u00a0", "_"]))
def test_grouped_thousands_are_one_number(value: int, mark: str) -> None:
    assert read_number(f"{value:,}".replace(",", mark)) == str(value)


@settings(deadline=None, max_examples=1000)
@given(TEXTS, TEXTS)
def test_what_exact_match_calls_equal_is_equal(one: str, other: str) -> None:
    equal = ExactMatch().compute(table(one, other)) == 1.0
    assert equal == (ExactMatch().compute(table(other, one)) == 1.0)
    numbers = parse_number(one.rstrip(" .,;:")), parse_number(other.rstrip(" .,;:"))
    if None not in numbers:
        assert equal == (numbers[0] == numbers[1])
    elif equal:
        assert one == other or normalize_answer(one) == normalize_answer(other)
        assert signs(one) == signs(other)


@settings(deadline=None, max_examples=500)
@given(TEXTS)
@example("0\\")
def test_a_normal_form_is_normal(text: str) -> None:
    assert normalize_answer(normalize_answer(text)) == normalize_answer(text)
    assert ExactMatch().compute(table(text, text)) == 1.0
    assert ExactMatch().compute(table(f"  {text} ", text)) == 1.0


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.filter_too_much],  # most texts hold no number
)
@given(TEXTS, TEXTS)
def test_what_numeric_match_calls_equal_is_one_number(one: str, other: str) -> None:
    expected = read_number(other)
    assume(expected is not None)
    assert expected is not None
    actual = read_number(one)
    equal = NumericMatch().compute(table(one, other)) == 1.0
    if equal:
        assert actual is not None
        assert abs(Fraction(actual) - Fraction(expected)) <= Fraction(1, 10**6)
    elif actual is not None:
        assert Fraction(actual) != Fraction(expected)


def signs(text: str) -> list[str]:
    """The signs of a text that never only write a number: they stand in both or in neither."""
    written = unicodedata.normalize("NFC", text)
    kept = "#%$<>=&@~" if any(map(str.isdigit, written)) else "#%$<>=&@~+/^*²"
    return [character for character in written if character in kept]
