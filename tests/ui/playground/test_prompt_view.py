"""What the playground shows of a prompt as it is typed, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.scripted_model import ScriptedModel

pytest.importorskip("gradio")

import gradio as gr

import promptlab as pl
from promptlab.ui.components.text_fields import LONGEST
from promptlab.ui.playground import prompt_section, prompt_state, prompt_view, token_chips
from promptlab.ui.playground.prompt_view import prompt_parts, prompt_source, read_template

HOSTILE = "<script>alert(1)</script>"


def drawn(model: pl.LanguageModel, text: str, chat: bool = False, **fields: str) -> str:
    return str(
        token_chips.prompt_view_html(read_template(model, prompt_source(text, chat=chat), fields))
    )


def test_fields_are_told_apart(causal: Any) -> None:
    template = prompt_source("A {x} film by {y}: {mask}. {soft:3} {trigger:2}")
    found = read_template(causal, template, {"x": "dull {mask}"})
    kinds = [(s.kind, s.name, s.text) for s in found.stretches]
    assert kinds == [
        ("text", "", "A "),
        ("field", "x", "dull {mask}"),
        ("text", "", " film by "),
        ("field", "y", ""),
        ("text", "", ": "),
        ("slot", "", "{mask}"),
        ("text", "", ". "),
        ("soft", "", "{soft:3}"),
        ("text", "", " "),
        ("trigger", "", "{trigger:2}"),
    ]
    assert "".join(s.text for s in found.stretches) == str(found.prompt)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ x | length }} {{ mask }}", "four"),  # looks into the value
        ("{x} {mask}", "a \ue100 b \ue0ff c"),  # holds the marks itself
        ("{% if x == 'a' %}yes{% endif %} {{ x }} {{ mask }}", "a"),
    ],
)
def test_uncertain_fields_are_plain_text(text: str, value: str) -> None:
    template = pl.Template(text)
    prompt = template.render({"x": value})
    found = prompt_parts(template, {"x": value}, prompt)
    assert {s.kind for s in found} == {"text", "slot"}
    assert "".join(s.text for s in found) == str(prompt)


def test_texts_are_drawn_as_text(causal: Any, masked: Any) -> None:
    for model in (causal, masked):
        shown = drawn(model, f"{HOSTILE}{{x}} {{mask}} {HOSTILE}", x=HOSTILE)
        assert "<script" not in shown and "&lt;script&gt;alert(1)" in shown


def test_tokens_have_ids_kinds_and_a_legend(causal: Any, masked: Any) -> None:
    shown = drawn(masked, 'it {soft:20 "a film"} was {mask}.')
    assert "soft \u00d720" in shown and "not learned" in shown
    for kind in ("special", "slot", "soft", "text"):
        assert f"pl-play-token pl-play-{kind}" in shown
    ids = masked.tokenizer("was")["input_ids"]
    assert f"<small>{ids[1]}</small>" in shown
    unread = drawn(causal, "it was {mask} film")
    assert "pl-play-unread" in unread and token_chips._UNREAD in unread
    told = drawn(causal, "it was {mask}", chat=True)
    assert "chat template" in told and ">chat<" in told


def test_a_long_text_is_shortened_and_few_chips_shown(causal: Any) -> None:
    shown = drawn(causal, "{x} it was {mask}", x="film " * 9000)
    assert "{x} shortened to fit" in shown
    found = read_template(causal, prompt_source("film " * 9000 + "{mask} film"), {})
    text = str(token_chips.prompt_view_html(found))
    assert found.count and found.count > found.window and "pl-full" in text
    assert "tokens not shown" in text and text.count("<small>") <= token_chips.MOST_CHIPS
    ranges = token_chips.visible_ranges(found.tokens)
    slot = next(i for i, token in enumerate(found.tokens) if token.kind == "slot")
    assert any(start <= slot < end for start, end in ranges)
    assert "characters left out" in text


def test_a_bomb_is_refused(causal: Any) -> None:
    for text in (
        "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}{{ mask }}",
        "{{ 'x' * 999999 }}{{ mask }}",
        "x" * (LONGEST + 1),
    ):
        with pytest.raises(pl.InputError):
            read_template(causal, prompt_source(text), {})


def test_what_a_model_cannot_read_is_told_beside_the_prompt(gpt2: Any) -> None:
    shown = drawn(gpt2, "it was {mask}", chat=True)
    assert "cannot chat" in shown and "it was" in shown
    remote = read_template(ScriptedModel(), prompt_source("it was {mask}"), {})
    assert remote.tokens == () and "does not show its tokens" in remote.problem
    assert remote.count and "about" in str(token_chips.prompt_view_html(remote))


def test_white_space_is_visible() -> None:
    assert str(token_chips.visible_piece(" a\n<")) == "<i>\u00b7</i>a<i>\u23ce</i>&lt;"
    assert "\u2205" in token_chips.visible_piece("")


def held(**known: Any) -> Any:
    return {"names": [], "values": {}, "picked": "", "parts": [], "answers": ""} | known


def test_typed_values_are_remembered() -> None:
    before = held(names=["x", "y"], values={"x": "old"}, picked="a/b")
    now = prompt_state.typed_fields(pl.Template("{y} {z} {mask}"), before, ["a", "b", "ignored"])
    assert now == before | {"names": ["y", "z"], "values": {"x": "a", "y": "b"}}
    again = prompt_state.typed_fields(pl.Template("{x} {mask}"), now, ["b", "c"])
    assert again["values"] == {"x": "a", "y": "b", "z": "c"}
    many = " ".join(f"{{f{i}}}" for i in range(prompt_state.MOST_FIELDS + 1))
    with pytest.raises(pl.InputError, match="boxes for"):
        prompt_state.typed_fields(pl.Template(f"{many} {{mask}}"), now, [])
    assert prompt_state.field_lines("{y} {x} {mask}", before, ["a\nb", "c"]) == "y = c\nx = a\\nb"
    assert prompt_state.field_lines("{y", before, ["a"]) == ""


def test_only_boxes_that_hold_another_field_are_written() -> None:
    before = held(names=["x", "y"], values={"x": "1", "y": "2"})
    now = prompt_state.typed_fields(pl.Template("{x} {z} {mask}"), before, ["typed on", "2"])
    first, second, third, *_ = prompt_section._boxes(now, before)
    assert first == third == gr.skip() and (second.label, second.value) == ("z", "")
    assert prompt_section._boxes(now)[0].value == "typed on"


def test_a_choice_from_the_library() -> None:
    template, plain = prompt_state.picked_template("sentiment/it-was")
    assert template.source == "{text} It was {mask}." and list(plain["values"]) == ["text"]
    assert plain["answers"] == "negative: terrible\npositive: great" and not plain["parts"]
    template, instruct = prompt_state.picked_template("sentiment/instruct")
    assert instruct["parts"] == ["description", "input", "cue"]
    assert instruct["answers"].startswith("negative: ")
    shorter, now = prompt_state.arrange_fields(
        "sentiment/instruct", ["cue", "input"], "old", instruct, ["a"]
    )
    assert template.source.endswith(shorter) and shorter != template.source
    assert now["parts"] == ["cue", "input"] and now["values"] == {"text": "a"}
    assert prompt_state.with_parts("sentiment/instruct", instruct["parts"]) == template.source
    text, kept = prompt_state.arrange_fields("sentiment/instruct", ["input"], shorter, now, ["a"])
    assert "{mask}" not in text and kept["names"] == ["text"]  # told where the prompt is shown
    assert prompt_state.arrange_fields("", [], "{b} {mask}", now, ["a"])[1]["picked"] == ""
    with pytest.raises(pl.InputError, match="no template"):
        prompt_state.picked_template("../secret")


def test_the_reading_as_plain_data(causal: Any) -> None:
    found = prompt_section.prompt_shown(causal, "it was {x} {mask}.", "x = a film")
    assert found["prompt"] == "it was a film {mask}."
    assert found["shape"] == "cloze" and found["count"] == len(found["tokens"])
    read_ids = [t["id"] for t in found["tokens"] if t["read"] and t["id"] is not None]
    prompt = pl.Template("it was {x} {mask}.").render({"x": "a film"})
    assert tuple(read_ids) == causal.prompt_token_ids([prompt])[0]
    assert prompt_view.MOST_CHARACTERS > LONGEST
