"""Instructions read out of replies; what is dropped, and why."""

from __future__ import annotations

import pytest

from promptlab.errors import InputError
from promptlab.prompts.template import Template
from promptlab.tuning.instruction_search.proposal import (
    ProposalFilter,
    instruction_of,
    with_instruction,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Decide whether the text praises.", None),
        ("", "empty"),
        ("...", "empty"),
        ("I'm sorry, but I can't help with that.", "refuses"),
        ("As an AI, I think so.", "refuses"),
        ("word " * 4_000, "more than 1,000 characters"),
        ("name the mood of the text", "repeats"),
        ("Please name the mood of the text!", "repeats"),
        ("Say that the soup was cold and nobody apologised to us.", "text of the data"),
        ("A review such as a fine dull film is bad.", "text of the data"),
        ("Fill {% for x in y %} in.", "template language"),
    ],
)
def test_what_is_dropped(text: str, reason: str | None) -> None:
    keep = ProposalFilter(
        ["Name the mood of the text.", "Please name the mood of the text."],
        ["the soup was cold and nobody apologised to us again", "a fine dull film"],
    )
    found = keep.reason(text)
    assert found is None if reason is None else reason in str(found)


def test_a_word_or_two_of_the_data_are_no_leak() -> None:
    assert ProposalFilter([], ["good film"]).reason("Is it a good film or not?") is None


@pytest.mark.parametrize("text", ["Name it.", 'Reply as {"a": 1}', "a \\ and \\{ b", ""])
def test_an_instruction_is_words_whatever_it_holds(text: str) -> None:
    made = with_instruction(Template("{text} It was {mask}."), text)
    assert instruction_of(made) == text
    shown = str(made.render({"text": "x"}))
    assert shown == (f"{text}\n\n" if text else "") + "x It was {mask}."


def test_the_other_parts_stay() -> None:
    before = Template(
        None, {"description": "Old.", "input": "{text}", "cue": "So: {mask}"}, separator=" | "
    )
    made = with_instruction(before, "New.")
    assert made.source == "New. | {text} | So: {mask}" and instruction_of(before) == "Old."
    assert with_instruction(before, "").source == "{text} | So: {mask}"


def test_a_template_that_computes_is_refused() -> None:
    with pytest.raises(InputError, match="Jinja"):
        with_instruction(Template("{{ text }} {{ mask }}"), "New.")
