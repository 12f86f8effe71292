"""Prompts that fit: fields are shortened, the template and the slot never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from promptlab.data.example import Example
from promptlab.errors import TemplateError
from promptlab.models.local import LocalModel
from promptlab.predictors.truncation import render_truncated, truncation_record
from promptlab.prompts.template import Demonstration, Template

WORDS = "the soup was cold and nobody apologised . " * 6
NAMES = ["tiny_gpt2", "tiny_masked", "tiny_seq2seq"]

Fresh = Callable[..., LocalModel]


def small(fresh: Fresh, tokens: int, name: str = "tiny_gpt2") -> LocalModel:
    """A model with a window of so many tokens."""
    model = fresh(name)
    model.max_tokens = tokens
    return model


def example(**fields: str) -> Example:
    return Example("1", fields)


def test_what_fits_stays_as_it_is(fresh: Fresh) -> None:
    template = Template("{text} It was {mask}.")
    model = small(fresh, 30)
    prompt = render_truncated(template, example(text="the soup"), (), model, 2)
    assert prompt == template.render({"text": "the soup"})
    assert prompt.shortened == ()
    assert truncation_record(prompt) is None


@pytest.mark.parametrize("name", NAMES)
def test_the_longest_field_is_shortened_first(name: str, fresh: Fresh) -> None:
    template = Template("Title: {title}. {text} It was {mask}.")
    model = small(fresh, 40, name)
    prompt = render_truncated(template, example(title="cold soup", text=WORDS), (), model, 4)
    assert prompt.shortened == ("text",)
    whole = model.count_tokens(template.render(example(title="cold soup", text=WORDS)))
    lost = whole - model.count_tokens(prompt)
    assert lost > 0
    assert truncation_record(prompt) == {"shortened": ["text"], "cut_tokens": lost}
    assert prompt.left.startswith("Title: cold soup. the soup was")
    assert prompt.left.endswith(" It was ")
    assert prompt.right == "."
    assert 36 - 3 <= model.count_tokens(prompt) <= 36  # as much as fits


def test_long_fields_get_a_common_length(fresh: Fresh) -> None:
    template = Template("A: {a} B: {b} {mask}")
    model = small(fresh, 40)
    prompt = render_truncated(template, example(a=WORDS, b=WORDS * 9), (), model, 2)
    assert prompt.shortened == ("a", "b")
    a, b = prompt.left.removeprefix("A: ").split(" B: ")
    assert a == b.strip()
    assert WORDS.startswith(a)


def test_demonstrations_are_shortened_and_told(fresh: Fresh) -> None:
    template = Template("{text} It was {mask}.", demonstration_separator=" | ")
    model = small(fresh, 40)
    solved = [Demonstration({"text": WORDS}, "bad"), Demonstration({"text": "a film"}, "great")]
    prompt = render_truncated(template, example(text="the plot"), solved, model, 2)
    assert prompt.shortened == ("text",)
    assert "a film It was great. | the plot It was " in prompt.left
    assert " It was bad. | " in prompt.left
    assert model.count_tokens(prompt) <= 38


def test_a_chat_turn_is_counted_with_its_marks(fresh: Fresh) -> None:
    template = Template("{text} Good? {mask}", chat=True)
    model = small(fresh, 60, "tiny_causal")
    prompt = render_truncated(template, example(text=WORDS), (), model, 2)
    assert prompt.shortened == ("text",)
    assert prompt.chat
    assert model.count_tokens(prompt) <= 58
    assert "<|assistant|>" in model.sides(prompt)[0].text


def test_jinja_fields_are_shortened_before_they_are_rendered(fresh: Fresh) -> None:
    template = Template("{{ text|upper }}{% if note is defined %}{{ note }}{% endif %} {{ mask }}")
    model = small(fresh, 40)
    prompt = render_truncated(template, example(text=WORDS), (), model, 2)
    assert prompt.shortened == ("text",)
    assert prompt.left.startswith("THE")


def test_a_template_too_long_alone_is_an_error(fresh: Fresh) -> None:
    template = Template(f"{WORDS} {{text}} {{mask}}")
    with pytest.raises(TemplateError, match=r"template alone has \d+ tokens .* room for 28 beside"):
        render_truncated(template, example(text="x"), (), small(fresh, 30), 2)
    with pytest.raises(TemplateError, match="fewer demonstrations"):
        solved = [Demonstration({"text": "x"}, "great")] * 30
        render_truncated(Template("{text} {mask}"), example(text="x"), solved, small(fresh, 30), 2)


def test_a_megabyte_is_quick(fresh: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small(fresh, 100)
    long: list[int] = []
    plain = model.encoding.with_offsets

    def counted(texts: Any) -> Any:
        long.extend(len(text) for text in texts if len(text) > 10**5)
        return plain(texts)

    monkeypatch.setattr(model.encoding, "with_offsets", counted)
    prompt = render_truncated(Template("{text} {mask}"), example(text=WORDS * 4000), (), model, 2)
    assert prompt.shortened == ("text",)
    assert len(long) <= 2  # the whole text is read once or twice, not at every step of the search


@given(a=st.text(max_size=80), b=st.text(max_size=80), window=st.integers(24, 90))
@hypothesis_settings(max_examples=40)
@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_fields_say_the_prompt_fits(
    name: str, a: str, b: str, window: int, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name.removeprefix("tiny_"))
    before, model.max_tokens = model.max_tokens, window
    try:
        row = example(a=a, b=b)
        prompt = render_truncated(Template("{a} it was {mask}, {b} ."), row, (), model, 3)
        assert model.count_tokens(prompt) <= window - 3
        assert " it was " in prompt.left
        assert prompt.right.startswith(", ")
        if not prompt.shortened:
            assert (prompt.left, prompt.right) == (
                f"{row.fields['a']} it was ",
                f", {row.fields['b']} .",
            )
    finally:
        model.max_tokens = before
