"""Facts and the templates that ask for them."""

from __future__ import annotations

import pytest

from promptlab.errors import InputError, TemplateError
from promptlab.predictors.knowledge_probe.relation import (
    EMPTY,
    REPEATED,
    Fact,
    Relation,
    relation_template,
)
from promptlab.prompts.template import Template


def test_a_subject_that_names_its_object() -> None:
    assert Fact("Kuwait City", "kuwait").names_object
    assert Fact("Universal Pictures UK", "universal pictures").names_object
    assert not Fact("Kuwait", "Kuwait City").names_object


def test_facts_are_trimmed_and_count_once() -> None:
    found = Relation(
        "capital", [(" Peru ", "Lima"), ("Peru", "Lima\n"), ("Chad", " "), ("", "Rome")]
    )
    assert found.facts == (Fact("Peru", "Lima"),)
    assert found.left_out == {EMPTY: 2, REPEATED: 1}


def test_two_objects_of_a_subject_are_two_facts() -> None:
    found = Relation("borders", [("Peru", "Chile"), ("Peru", "Brazil"), ("Bolivia", "Chile")])
    assert len(found.facts) == 3 and not found.left_out
    assert found.objects == ("Chile", "Brazil")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("[X] was born in [Y] .", "{subject} was born in {mask} ."),
        ("[Y] is the capital of [X].", "{mask} is the capital of {subject}."),
        ("{x} of [X] is [Y]", "\\{x\\} of {subject} is {mask}"),
        ("{{ [X] }} is [Y]", "\\{\\{ {subject} \\}\\} is {mask}"),
    ],
)
def test_brackets_become_a_field_and_a_slot(text: str, source: str) -> None:
    template = relation_template(text)
    assert template.source == source
    expected = text.replace("[X]", "Peru").replace("[Y]", "Lima")
    assert template.render({"subject": "Peru"}).fill("Lima") == expected


def test_a_template_of_ones_own_keeps_its_field() -> None:
    assert relation_template("Capital of {country}: {mask}").fields == ("country",)
    given = Template("{a} is {mask}")
    assert relation_template(given) is given


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[X] and [X] are in [Y]", "once"),
        ("The capital is [Y].", "once"),
        ("[X] is big.", "once"),
        ("{a} of {b} is {mask}", "the fields a, b"),
        ("It is {mask}", "the fields none"),
        ("{subject} is big", "no answer slot"),
    ],
)
def test_what_does_not_ask_for_facts_is_refused(text: str, told: str) -> None:
    with pytest.raises(TemplateError, match=told):
        relation_template(text)


@pytest.mark.parametrize("weights", [[0.5], [0.5, -0.1], [1.0, 1.0, 1.0]])
def test_weights_fit_the_templates(weights: list[float]) -> None:
    with pytest.raises(InputError, match="one number a template"):
        Relation("r", [("a", "b")], ["[X] is [Y]", "[X] has [Y]"], weights)
