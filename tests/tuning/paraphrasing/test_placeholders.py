"""Marks for fields and slot, and back again."""

from __future__ import annotations

import pytest

from promptlab.errors import InputError
from promptlab.tuning.paraphrasing.placeholders import MARKS, mark_parts


@pytest.mark.parametrize("form", MARKS)
def test_marks_stand_for_fields_and_slot_and_come_back(form: str) -> None:
    marked = mark_parts('{premise} So \\{x\\}: "{hypothesis}"? {mask}.', form)
    assert marked.parts == ("{premise}", "{hypothesis}", "{mask}")
    assert marked.text.count("{x}") == 1 and "{premise}" not in marked.text
    assert marked.restore(marked.text) == ('{premise} So \\{x\\}: "{hypothesis}"? {mask}.', "")


@pytest.mark.parametrize(
    ("text", "restored", "reason"),
    [
        ("It was [1]: [0]", "It was {mask}: {text}", ""),
        ("It was [ 1 ] :  [0]", "It was {mask} : {text}", ""),
        ("It was [1].", "", "it lost or repeated a field or the slot"),
        ("[0] It was [1] and [1].", "", "it lost or repeated a field or the slot"),
        ("[0] It was [1] of [2].", "", "it has a field that the template lacks"),
        ("It was {mask}.", "", "it lost or repeated a field or the slot"),
        ("[0] {odd} [1]", "{text} \\{odd\\} {mask}", ""),
    ],
)
def test_what_a_model_makes_of_it(text: str, restored: str, reason: str) -> None:
    assert mark_parts("{text} It was {mask}.").restore(text) == (restored, reason)


def test_what_cannot_be_marked() -> None:
    with pytest.raises(InputError, match="Jinja"):
        mark_parts("{{ text }} {{ mask }}")
    with pytest.raises(InputError):
        mark_parts("{text} has no slot")


def test_a_mark_that_the_template_holds_itself_is_not_used() -> None:
    marked = mark_parts("See [0]. {text} {mask}")
    assert marked.text == "See [0]. <0> <1>"
    assert marked.restore(marked.text) == ("See [0]. {text} {mask}", "")
