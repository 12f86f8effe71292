"""Parsers: what they read, what they refuse, and that settings round-trip."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.data.spans import LabelledSpan, read_spans, write_spans
from promptlab.errors import InputError
from promptlab.prompts.parsers.number import read_number
from promptlab.prompts.parsers.parsers import (
    ChoiceParser,
    JsonParser,
    NumberParser,
    Parser,
    RegexParser,
    SpansParser,
    TextParser,
    parser_from_settings,
)

SENTIMENT = parser_from_settings(
    {
        "type": "choice",
        "choices": {"positive": ["positive", "good"], "negative": ["negative", "bad"]},
    }
)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Positive.", "positive"),
        ("  the answer is **NEGATIVE**\nbecause", "negative"),
        ("It is good", "positive"),
        ("goodness", None),
        ("", None),
        ("I cannot tell", None),
        ("positive or negative", None),
        ("Positive/Negative", None),
        ("positive, negative", None),
        ("(positive) and/or (negative)", None),
        ("not positive", None),
        ("It isn\u2019t a good film", None),
        ("not positive but negative", "negative"),
        ("positive, not negative", "positive"),
        ("neither positive nor negative", None),
        ("positive because the bad parts are few", "positive"),
        ("positive\npositive or negative?", "positive"),
    ],
)
def test_choice(reply: str, label: str | None) -> None:
    assert SENTIMENT.parse(reply) == label


def test_choice_prefers_the_longest_word_and_whole_numbers() -> None:
    entailment = ChoiceParser((("no", ("not entailment",)), ("yes", ("entailment",))))
    assert entailment.parse("Not  entailment") == "no"
    assert entailment.parse("entailment") == "yes"
    stars = ChoiceParser((("one", ("1",)), ("two", ("2",))))
    assert stars.parse("10 or 1.5 or 1,000") is None
    assert stars.parse("2.") == "two"


def test_choice_in_a_script_without_blanks() -> None:
    parser = ChoiceParser((("pos", ("正面",)), ("neg", ("负面",))))
    assert parser.parse("这是正面的评论") == "pos"


def test_choice_words_are_literal_and_any_case() -> None:
    parser = ChoiceParser((("c", ("C++",)), ("a", ("(a)",)), ("s", ("STRASSE",))))
    assert parser.parse("I say c++!") == "c"
    assert parser.parse("option (A)") == "a"
    assert parser.parse("die straße") == "s"


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("The answer is 42.", "42"),
        ("3 and 4 make 7", "7"),
        ("5 * 8 = 40\n#### 1,234 (not 7)", "1234"),
        ("#### forty, so 40", "40"),
        ("x = -5", "-5"),
        ("10-5", None),
        ("$-5", "-5"),
        ("-$5.50", "-5.5"),
        ("\u22123", "-3"),
        ("1.50e3 metres", "1500"),
        ("1e-3", "0.001"),
        ("H2O and GPT4", None),
        ("no digits", None),
        ("1,2,3", None),
        ("12,345,678.90", "12345678.9"),
        (".5", "0.5"),
        ("007", "7"),
        ("-0.00", "0"),
        ("50%", "50"),
        ("9" * 60, "9" * 60),
    ],
)
def test_number(reply: str, number: str | None) -> None:
    assert NumberParser().parse(reply) == number
    assert read_number(reply) == number


def test_text_is_cut_at_the_first_stop() -> None:
    parser = TextParser(("\n", "Q:"))
    assert parser.parse("\n Warsaw Q: next\nmore") == "Warsaw"
    assert parser.parse(" \n ") is None
    assert TextParser().parse(" two\nlines ") == "two\nlines"


def test_a_regex_without_end_is_given_up() -> None:
    parser = RegexParser(r"((a|aa)+)$")
    with pytest.raises(InputError, match="takes more than 1 s on a reply of 61 characters"):
        parser.parse("a" * 60 + "!")


def test_regex_takes_group_one() -> None:
    parser = RegexParser(r"(?i)answer:\s*(\w*)")
    assert parser.parse("ANSWER: blue, Answer: red") == "blue"
    assert parser.parse("answer: ") is None
    assert parser.parse("blue") is None
    assert RegexParser(r"a|(b)").parse("a") is None


def test_a_full_stop_ends_a_sentence_and_no_number() -> None:
    parser = TextParser((".",))
    assert parser.parse("3.5 million. And so on") == "3.5 million"
    assert parser.parse("the U.S. Congress") == "the U.S"
    assert parser.parse("Warsaw.") == "Warsaw"
    assert parser.parse('"Warsaw".') == '"Warsaw"'


def test_text_in_answer_tags() -> None:
    assert TextParser().parse("<think>x</think>\n<answer> Warsaw </answer>") == "Warsaw"
    assert TextParser().parse("<b>Warsaw</b>") == "<b>Warsaw</b>"
    assert TextParser().parse("<answer></answer>") is None


def test_json_takes_the_key_of_the_last_object_that_has_it() -> None:
    parser = JsonParser("label")
    assert parser.parse('Sure! ```json\n{"label": " spam "}\n```') == "spam"
    assert parser.parse('{"x": 1} {broken {"label": true}') == "true"
    assert parser.parse('{"outer": {"label": 3}}') == "3"
    assert parser.parse('{"label": null}') is None
    assert parser.parse('{"label": "cut off') is None
    assert parser.parse('As {"label": "..."} asks: {"label": "spam", "p": {"label": 1}}') == "spam"
    assert parser.parse('{"label": NaN}') is None
    assert parser.parse('{"label": "spam"} {"other": 1}') == "spam"
    assert parser.parse("{" * 5000) is None
    assert parser.parse('{"a":' * 5000) is None


def test_spans() -> None:
    parser = SpansParser()
    assert (
        parser.parse('- "New  York" -> LOC.\nnoise\n2. Anna → PER')
        == "New York -> LOC\nAnna -> PER"
    )
    assert parser.parse("None.") == "none"
    assert parser.parse("There are no entities") is None
    assert parser.parse("") is None
    assert SpansParser(("PER",)).parse("Anna -> PER\nRome -> LOC") == "Anna -> PER"
    assert SpansParser(("PER",)).parse("Rome -> LOC") == "none"


def test_spans_keep_punctuation_that_is_itself_tagged() -> None:
    spans = [
        LabelledSpan('"', "''"),
        LabelledSpan(".", "."),
        LabelledSpan("a -> b", "X"),
        LabelledSpan("his", "PRP$"),
    ]
    assert read_spans(write_spans(spans)) == spans
    assert read_spans(write_spans([])) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"type": "choice", "choices": {"yes": ["yes"], "no": ["no", "nope"]}},
        {"type": "number"},
        {"type": "number", "decimal": "comma"},
        {"type": "text"},
        {"type": "text", "stop": ["\n", "."]},
        {"type": "regex", "pattern": r"(\d+)"},
        {"type": "json", "key": "answer"},
        {"type": "spans"},
        {"type": "spans", "types": ["PER", "LOC"]},
    ],
)
def test_settings_round_trip(settings: dict[str, Any]) -> None:
    parser = parser_from_settings(settings)
    assert parser.settings() == settings
    again = parser_from_settings(parser.settings())
    assert again == parser
    assert hash(again) == hash(parser)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("number", "expected a mapping"),
        ({}, "'type' must be one of choice, number"),
        ({"type": "numbr"}, "'numbr'"),
        ({"type": ["number"]}, "must be one of"),
        ({"type": "number", "stop": "x"}, "unknown key 'stop'"),
        ({"type": "number", "decimal": "dot"}, "it is point"),
        ({"type": "regex"}, "'pattern' is missing"),
        ({"type": "regex", "pattern": "("}, "no regular expression"),
        ({"type": "regex", "pattern": "x"}, "has no group"),
        ({"type": "regex", "pattern": 3}, "must be text"),
        ({"type": "text", "stop": [""]}, "empty string"),
        ({"type": "text", "stop": 3}, "list of texts"),
        ({"type": "choice", "choices": ["a"]}, "map labels to words"),
        ({"type": "choice", "choices": {"a": ["x"]}}, "at least two labels"),
        ({"type": "choice", "choices": {"a": [], "b": ["x"]}}, "has no words"),
        ({"type": "choice", "choices": {"a": [" "], "b": ["x"]}}, "empty word"),
        ({"type": "choice", "choices": {"a": ["x"], "b": ["X"]}}, "both 'a' and 'b'"),
        ({"type": "choice", "choices": {"a": [True], "b": ["x"]}}, "put it in quotes"),
        ({"type": "choice", "choices": {None: ["a"], "b": ["x"]}}, "is a missing value"),
        ({"type": "choice", "choices": {1: ["a"], "1": ["x"]}}, "are both the label '1'"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        parser_from_settings(settings)


def test_a_subclass_is_a_parser() -> None:
    class Shout(Parser):
        type = "shout"

        def parse(self, reply: str) -> str | None:
            return reply.upper() or None

        def settings(self) -> dict[str, Any]:
            return {"type": self.type}

    assert Shout().parse("a") == "A"
