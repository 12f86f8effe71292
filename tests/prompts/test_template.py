"""Templates: fields, parts, demonstrations, shape, faults, settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.example import Example
from promptlab.errors import InputError, TemplateError
from promptlab.prompts.prompt import Prompt, Slot, Soft, Text, Trigger
from promptlab.prompts.template import Demonstration, Template, is_jinja

PARTS = {
    "description": "Say how it feels.",
    "context": "Source: {place}",
    "input": "Review: {text}",
    "cue": "Sentiment: {mask}",
}
FIELDS = {"text": "fine", "place": "web"}


def test_a_plain_template_renders() -> None:
    template = Template("{text} It was {mask}.")
    prompt = template.render(Example("1", {"text": "A {mask} film\\"}, "x"))
    assert prompt.segments == (Text("A {mask} film\\ It was ", ((0, 14),)), Slot(), Text("."))
    assert template.fields == ("text",)
    assert template.source == "{text} It was {mask}."
    assert Template("{b} {a} {b} {mask}").fields == ("b", "a")


def test_learned_segments_stay_between_the_words() -> None:
    template = Template('{soft:2 #a "so"}{text}{trigger:3} {mask}')
    assert template.render(FIELDS).segments == (
        Soft(2, init="so", id="a"),
        Text("fine", ((0, 4),)),
        Trigger(3),
        Text(" "),
        Slot(),
    )


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("{text} It was {mask}", "prefix"),
        ("{text} It was {mask}.", "cloze"),
        ("{mask}: {text}", "cloze"),
        ("{mask}", "prefix"),
        ("{{ text }} {{ mask }}", "prefix"),
        ("{{ text }} {{ mask }} !", "cloze"),
    ],
)
def test_shape(text: str, shape: str) -> None:
    assert Template(text).shape == shape


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("{text} It was", "no answer slot", 13),
        ("", "no answer slot", 0),
        ("{mask} and {mask}", "second one", 11),
        ("\\{mask\\} {mask} and { mask }.", "second one", 20),
        ("It was {mask", "never closed", 7),
        ("It was mask}", "never opened", 11),
        ("{{ text }} {% if %}{{ mask }}", "Jinja", 0),
        ("{{ text }} {{ mask", "Jinja", 0),
        ("{{ text }} no slot", "no answer slot", 18),
    ],
)
def test_faults_have_a_caret(text: str, message: str, column: int) -> None:
    with pytest.raises(TemplateError, match=message) as caught:
        Template(text)
    shown, caret = str(caught.value).splitlines()[1:]
    assert shown == f"  {text}"
    assert caret == f"  {' ' * column}^"


def test_a_field_the_data_lacks() -> None:
    template = Template("About {txt}: {mask}", name="mine")
    with pytest.raises(TemplateError, match=r"no field 'txt'; did you mean {text}\?") as caught:
        template.render({"text": "a", "label": "b"})
    assert str(caught.value).splitlines()[1:] == ["  About {txt}: {mask}", f"  {' ' * 6}^"]
    with pytest.raises(TemplateError, match="its fields are none"):
        template.render({})


def test_jinja_slots_are_counted_in_what_was_rendered() -> None:
    template = Template("{% for x in text.split() %}{{ x }} {{ mask }} {% endfor %}")
    assert str(template.render({"text": "one"})) == "one {mask} "
    with pytest.raises(TemplateError, match="has 2 answer slots"):
        template.render({"text": "one two"})
    with pytest.raises(TemplateError, match="has 0 answer slots"):
        template.render({"text": ""})
    assert is_jinja("{% if a %}")
    assert not is_jinja("{text} {mask} 100%}")


def test_parts_stand_in_their_order() -> None:
    template = Template(parts=dict(reversed(PARTS.items())))
    assert str(template.render(FIELDS)) == (
        "Say how it feels.\n\nSource: web\n\nReview: fine\n\nSentiment: {mask}"
    )
    assert template.fields == ("place", "text")
    assert template.shape == "prefix"
    lines = Template(parts={"input": "{text}", "cue": "So: {mask}"}, separator="\n")
    assert str(lines.render(FIELDS)) == "fine\nSo: {mask}"


def test_parts_can_be_left_out() -> None:
    template = Template(parts=PARTS, name="t")
    assert str(template.without("description", "context").render(FIELDS)) == (
        "Review: fine\n\nSentiment: {mask}"
    )
    assert template.without() == template
    assert template.without("context").without("context").fields == ("text",)
    with pytest.raises(TemplateError, match="no answer slot"):
        template.without("cue")
    with pytest.raises(InputError, match=r"unknown part 'descripton'.*description, context"):
        template.without("descripton")
    with pytest.raises(InputError, match="has no parts"):
        Template("{mask}").without("cue")


def test_faults_of_parts() -> None:
    with pytest.raises(TemplateError, match=r"unknown part 'intro'.*description, context, input"):
        Template(parts={"intro": "x", "cue": "{mask}"})
    with pytest.raises(TemplateError, match="second one"):
        Template(parts={"input": "{text} {mask}", "cue": "{mask}"})
    with pytest.raises(TemplateError, match="either text or parts"):
        Template("{mask}", {"cue": "{mask}"})
    with pytest.raises(TemplateError, match="either text or parts"):
        Template()
    with pytest.raises(TemplateError, match="no answer slot"):
        Template(parts={})
    for made in ({"text": 5}, {"parts": {"cue": None}}):
        with pytest.raises(TemplateError, match=r"a template is text, found (5|None)"):
            Template(**made)


DEMONSTRATIONS = (
    Demonstration({"text": "dull", "place": "book"}, "bad"),
    Demonstration({"text": "witty {mask}", "place": "blog"}, "good"),
)


def test_demonstrations_before_a_text() -> None:
    template = Template("{text} It was {mask}.", demonstration_separator="\n")
    prompt = template.render(FIELDS, DEMONSTRATIONS)
    assert prompt.segments == (
        Text(
            "dull It was bad.\nwitty {mask} It was good.\nfine It was ",
            ((0, 4), (12, 15), (17, 29), (37, 41), (43, 47)),
        ),
        Slot(),
        Text("."),
    )


def test_demonstrations_stand_after_the_description() -> None:
    assert str(Template(parts=PARTS).render(FIELDS, DEMONSTRATIONS[:1])) == (
        "Say how it feels.\n\n"
        "Source: book\n\nReview: dull\n\nSentiment: bad\n\n"
        "Source: web\n\nReview: fine\n\nSentiment: {mask}"
    )


def test_demonstrations_with_parts_alike_and_with_a_description_alone() -> None:
    alike = Template(parts={"description": "Now:", "context": "Now:", "cue": "{text} {mask}"})
    assert str(alike.render(FIELDS, DEMONSTRATIONS[:1])).count("dull") == 1
    alone = Template(parts={"description": "{text}? {mask}"})
    assert str(alone.render(FIELDS, DEMONSTRATIONS[:1])) == "dull? bad\n\nfine? {mask}"


def test_demonstrations_after_the_input() -> None:
    whole = Template(parts=PARTS)
    assert whole.has_separate_cue
    assert str(whole.render(FIELDS, DEMONSTRATIONS[:1], "after")) == (
        "Say how it feels.\n\n"
        "Source: web\n\nReview: fine\n\n"
        "Source: book\n\nReview: dull\n\nSentiment: bad\n\n"
        "Sentiment: {mask}"
    )
    text = Template("{text} It was {mask}.", demonstration_separator="\n")
    assert not text.has_separate_cue
    assert text.render(FIELDS, DEMONSTRATIONS[:1], "after").segments == (
        Text("fine It was ", ((0, 4),)),
        Slot(),
        Text(".\ndull It was bad.", ((2, 6), (14, 17))),
    )
    assert text.render(FIELDS, (), "after") == text.render(FIELDS)
    for parts in (
        {"description": "Say it.", "cue": "{text} {mask}"},
        {"input": "{text} {mask}", "cue": "So it is."},
        {"cue": "{text} {mask}"},
        {"input": "{text} {mask}"},
    ):
        assert not Template(parts=parts).has_separate_cue
        assert str(Template(parts=parts).render(FIELDS, DEMONSTRATIONS[:1], "after")).endswith(
            str(
                Template(parts=parts).without("description").render(DEMONSTRATIONS[0].fields)
            ).replace("{mask}", "bad")
        )
    assert Template(parts={"input": "{text}", "cue": "Now {{ mask }}"}).has_separate_cue


def test_demonstrations_of_jinja_and_learned_segments() -> None:
    template = Template("{{ soft(2) }}{{ text|upper }}: {{ mask }}")
    assert template.render(FIELDS, DEMONSTRATIONS[:1]).segments == (
        Text("DULL: bad\n\n", ((0, 4), (6, 9))),
        Soft(2),
        Text("FINE: ", ((0, 4),)),
        Slot(),
    )


@pytest.mark.parametrize(
    "template",
    [
        Template("{text} It was {mask}.", name="sentiment/it-was", demonstration_separator="\n"),
        Template("{{ text }} {{ mask }}", chat=True),
        Template(parts=PARTS, separator="\n", name="x"),
    ],
)
def test_settings_come_back(template: Template) -> None:
    settings = json.loads(json.dumps(template.settings()))
    again = Template.from_settings(settings)
    assert again == template
    assert again.render(FIELDS, DEMONSTRATIONS) == template.render(FIELDS, DEMONSTRATIONS)


def test_chat_is_handed_on() -> None:
    assert Template("{text} {mask}", chat=True).render(FIELDS).chat
    assert not Template("{text} {mask}").render(FIELDS).chat


TRICKS = ("{mask}", "{{ mask }}", "\\{", "}", "{soft:9}", "{trigger:2}", "\ue000mask\ue001", "{%")
FIELD_TEXT = st.lists(st.one_of(st.text(max_size=9), st.sampled_from(TRICKS))).map("".join)


@given(text=FIELD_TEXT, other=FIELD_TEXT, answer=FIELD_TEXT)
@pytest.mark.parametrize(
    "template",
    [
        Template("{text} It was {mask}, {other}"),
        Template("{{ text }}{{ mask }}{{ other }}"),
        Template(parts={"description": "{other}", "input": "{{ text }}", "cue": "{mask}"}),
    ],
)
def test_field_texts_never_change_the_slots(
    template: Template, text: str, other: str, answer: str
) -> None:
    fields = {"text": text, "other": other}
    prompt = template.render(fields, [Demonstration(fields, answer)])
    learned = [s for s in prompt.segments if not isinstance(s, Text)]
    assert learned == [Slot()]
    assert text in prompt.left
    assert prompt == Prompt(prompt.segments)
    assert all(isinstance(s, Slot) or s.text for s in prompt.segments if not isinstance(s, Soft))  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["{text} It was {mask}.", "{{ text }} It was {{ mask }}."])
@pytest.mark.parametrize(
    ("value", "told"), [(None, "is None"), (float("nan"), "is nan"), (["a"], "is a list")]
)
def test_a_field_that_is_no_text_is_refused(text: str, value: Any, told: str) -> None:
    with pytest.raises(TemplateError, match=f"the field 'text' {told}"):
        Template(text).render({"text": value})


@pytest.mark.parametrize("text", ["{text} It was {mask}.", "{{ text }} It was {{ mask }}."])
@pytest.mark.parametrize(("value", "shown"), [(3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true")])
def test_numbers_are_written_as_files_have_them(text: str, value: Any, shown: str) -> None:
    assert str(Template(text).render({"text": value})) == f"{shown} It was {{mask}}."
