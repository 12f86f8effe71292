"""The plain grammar: every piece, every fault with its caret, and what field texts cannot do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.errors import TemplateError
from promptlab.prompts.prompt import Slot, Soft, Text, Trigger
from promptlab.prompts.template_syntax import Field, parse_template


def caret(error: TemplateError) -> int:
    """The column that the caret of a one-line template points at."""
    return str(error).splitlines()[-1].index("^") - 2


def test_every_piece() -> None:
    assert parse_template(
        '{text} It {soft:2} was{soft:3 "so so"} {soft:4 #a "b"}{trigger:5}{ mask }.'
    ) == (
        Field("text", 0),
        Text(" It "),
        Soft(2),
        Text(" was"),
        Soft(3, init="so so"),
        Text(" "),
        Soft(4, init="b", id="a"),
        Trigger(5),
        Slot(),
        Text("."),
    )
    assert parse_template("") == ()
    assert parse_template("{ _a1 }") == (Field("_a1", 0),)
    assert parse_template('{soft:1 ""}') == (Soft(1, init=""),)


def test_literal_braces_and_backslashes() -> None:
    assert parse_template(r"\{text\} {mask}") == (Text("{text} "), Slot())
    assert parse_template("a\\b {mask}\\") == (Text("a\\b "), Slot(), Text("\\"))


@pytest.mark.parametrize(
    ("template", "position", "message"),
    [
        ("It was {mask", 7, "never closed"),
        ("It was mask}", 11, "never opened"),
        ("a {te xt} {mask}", 2, "not a field name"),
        ("a {} {mask}", 2, "not a field name"),
        ("a {1st} {mask}", 2, "not a field name"),
        ("a {soft:} {mask}", 2, "not a field name"),
        ("a {soft:x} {mask}", 2, "not a field name"),
        ('a {soft:2 "x} {mask}', 2, "not a field name"),
        ("a {soft:0} {mask}", 2, "at least one token"),
        ("a {trigger:0} {mask}", 2, "at least one token"),
        ("a {trigger:-1} {mask}", 2, "not a field name"),
        ("a {mask:2}", 2, "not a field name"),
    ],
)
def test_faults_have_a_caret(template: str, position: int, message: str) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        parse_template(template)
    assert caret(caught.value) == position
    assert template in str(caught.value)


@given(st.text())
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        pieces = parse_template(text)
    except TemplateError as error:
        assert "^" in str(error)
        return
    for piece in pieces:
        if isinstance(piece, Text):
            assert piece.text


@given(st.text())
def test_escaped_text_comes_back(text: str) -> None:
    text = text.replace("\\", "/")
    escaped = text.replace("{", "\\{").replace("}", "\\}")
    assert "".join(p.text for p in parse_template(escaped) if isinstance(p, Text)) == text
