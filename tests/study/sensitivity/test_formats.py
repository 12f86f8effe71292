"""Formats that mean the same."""

from __future__ import annotations

import re

import pytest

from promptlab.errors import InputError
from promptlab.library.sources import templates
from promptlab.prompts.template import Template
from promptlab.study.sensitivity.formats import AS_WRITTEN, PromptFormat, _all_formats, draw_formats

PLAIN = "{text} It was {mask}."
NAMED = "Review: {text}\nSentiment: {mask}"
PAIR = "Premise: {premise}\nHypothesis: {hypothesis}\nDoes it follow? {mask}"


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        (PromptFormat(), NAMED, NAMED),
        (PromptFormat(casing="upper"), NAMED, "REVIEW: {text}\nSENTIMENT: {mask}"),
        (PromptFormat(casing="upper"), PLAIN, "{text} IT WAS {mask}."),
        (PromptFormat(casing="title"), "{text} it's been {mask}.", "{text} It's Been {mask}."),
        (PromptFormat(separator=" - "), NAMED, "Review - {text}\nSentiment - {mask}"),
        (PromptFormat(separator=":\n"), NAMED, "Review:\n{text}\nSentiment:\n{mask}"),
        (PromptFormat(separator=" - "), PLAIN, PLAIN),
        (PromptFormat(gap="\n"), PLAIN, "{text}\nIt was {mask}."),
        (PromptFormat(gap=" || "), NAMED, "Review: {text} || Sentiment: {mask}"),
        (PromptFormat(gap="\n"), "A {mask} {text} one.", "A {mask} {text}\none."),
        (PromptFormat(slot_gap="  "), PLAIN, "{text} It was  {mask}."),
        (PromptFormat(slot_gap="\n"), PLAIN, PLAIN),  # it would cut the sentence
        (PromptFormat(slot_gap="\n"), NAMED, "Review: {text}\nSentiment:\n{mask}"),
        (
            PromptFormat(reverse_fields=True),
            PAIR,
            "Hypothesis: {hypothesis}\nPremise: {premise}\nDoes it follow? {mask}",
        ),
        (PromptFormat(casing="lower"), r"A \{Brace\} {text} {mask}", r"a \{brace\} {text} {mask}"),
    ],
)
def test_a_rule_by_hand(rule: PromptFormat, before: str, after: str) -> None:
    assert rule.apply(Template(before)).text == after


def test_parts_and_jinja() -> None:
    made = Template(
        parts={"description": "Say Which.", "input": "Text: {text}", "cue": "It: {mask}"}
    )
    found = PromptFormat(casing="upper", gap="\n").apply(made)
    assert found.parts == {
        "description": "Say Which.",
        "input": "TEXT: {text}",
        "cue": "IT: {mask}",
    }
    assert found.separator == "\n"
    logic = Template("{{ text }} It was {{ mask }}")
    assert PromptFormat(casing="upper", gap="\n").apply(logic) is logic


def test_fields_and_slot_stay_in_all_of_the_library() -> None:
    """Only white space, letters' case, separators and the order of lines may differ."""

    def meaning(template: Template) -> list[str]:
        return sorted(re.sub(r"\|\||::|[\s:\-]", "", template.source).lower())

    plain = [item.template for item in templates() if "{{" not in item.template.source]
    rules = _all_formats()[::29]
    for template in plain[::3]:
        for rule in rules:
            found = rule.apply(template)
            assert sorted(found.fields) == sorted(template.fields)
            assert meaning(found) == meaning(template), (rule.name, template.source, found.source)


def test_drawn_formats_differ_for_every_wording() -> None:
    made = [Template(PLAIN), Template(NAMED), Template("{text} All in all {mask}.")]
    found = draw_formats(made, 6, seed=1)
    assert found[0].name == AS_WRITTEN and len({rule.name for rule in found}) == 6
    for template in made:
        assert len({rule.apply(template).text for rule in found}) == 6
    assert found == draw_formats(made, 6, seed=1) != draw_formats(made, 6, seed=2)
    assert all(rule.n_changes == 1 for rule in found[1:4])  # what moves it can be named


def test_where_there_is_little_to_change() -> None:
    assert draw_formats([Template("{{ text }} {{ mask }}")], 4, seed=1) == [PromptFormat()]
    assert len(draw_formats([Template("{{ text }} {{ mask }}"), Template(PLAIN)], 3, seed=1)) == 3
    with pytest.raises(InputError, match="0 formats"):
        draw_formats([Template(PLAIN)], 0, seed=1)
