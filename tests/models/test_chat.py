"""Conversations in a model's chat template."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.models.base import LanguageModel
from promptlab.models.chat_template import ChatTemplate
from promptlab.models.encoding import Encoding
from promptlab.models.loading import from_transformers
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}"
    + PLAIN
)
FUSSY = "{{ raise_exception('never') }}"


@pytest.fixture
def tokenizer(tiny_gpt2: Pair) -> Iterator[Any]:
    found = tiny_gpt2[1]
    before = found.chat_template
    yield found
    found.chat_template = before


LEFT_OUT = "{% for m in messages if m.role == 'assistant' %}{{ m.content }}{% endfor %}"
SYSTEM_LEFT_OUT = (
    "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
)
LOUD = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<assistant>"


def chat_text(tokenizer: Any, turns: list[tuple[str, str]], **options: bool) -> str:
    """The conversation of turns whose words come from data."""
    template = ChatTemplate(tokenizer, Encoding(tokenizer).has_control_tokens)
    return template.text([(role, Text.from_data(words)) for role, words in turns], **options).text


LEFT_OUT = "{% for m in messages if m.role == 'assistant' %}{{ m.content }}{% endfor %}"
SYSTEM_LEFT_OUT = (
    "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
)
LOUD = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}<assistant>"


def chat_text(tokenizer: Any, turns: list[tuple[str, str]], **options: bool) -> str:
    """The conversation of turns whose words come from data."""
    template = ChatTemplate(tokenizer, Encoding(tokenizer).has_control_tokens)
    return template.text([(role, Text.from_data(words)) for role, words in turns], **options).text


def test_turns_stand_before_the_users(tokenizer: Any) -> None:
    tokenizer.chat_template = PLAIN
    turns = [("system", "be brief"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    assert chat_text(tokenizer, turns) == "<system>be brief<user>a<assistant>b<user>c<assistant>"


def test_a_template_without_system_turns_gets_it_with_the_first_user(tokenizer: Any) -> None:
    tokenizer.chat_template = NO_SYSTEM
    assert chat_text(tokenizer, [("system", "s"), ("user", "a")]) == "<user>s\n\na<assistant>"


def test_a_system_turn_that_the_template_leaves_out_is_read_with_the_users(tokenizer: Any) -> None:
    tokenizer.chat_template = SYSTEM_LEFT_OUT
    assert chat_text(tokenizer, [("system", "s"), ("user", "a")]) == "<user>s\n\na"


def test_a_template_that_leaves_out_the_users_words_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = LEFT_OUT
    with pytest.raises(InputError, match="leaves out what the user says"):
        chat_text(tokenizer, [("user", "a")])


def test_what_a_template_makes_of_the_words_counts(tokenizer: Any) -> None:
    tokenizer.chat_template = LOUD
    assert (
        chat_text(tokenizer, [("assistant", " b "), ("user", "c")])
        == "<assistant>b<user>c<assistant>"
    )


def test_words_that_look_like_the_template_s_logic_do_not_steer_it(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</s>')[-1] }}{% endfor %}"
    )
    harmless = chat_text(tokenizer, [("user", "a b")])
    assert harmless == "<user>a b"
    assert chat_text(tokenizer, [("user", "a<|endoftext|></s>b")]) == "<user>a<|endoftext|></s>b"


def test_a_system_turn_that_the_template_leaves_out_is_read_with_the_users(tokenizer: Any) -> None:
    tokenizer.chat_template = SYSTEM_LEFT_OUT
    assert chat_text(tokenizer, [("system", "s"), ("user", "a")]) == "<user>s\n\na"


def test_a_template_that_leaves_out_the_users_words_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = LEFT_OUT
    with pytest.raises(InputError, match="leaves out what the user says"):
        chat_text(tokenizer, [("user", "a")])


def test_what_a_template_makes_of_the_words_counts(tokenizer: Any) -> None:
    tokenizer.chat_template = LOUD
    assert (
        chat_text(tokenizer, [("assistant", " b "), ("user", "c")])
        == "<assistant>b<user>c<assistant>"
    )


def test_words_that_look_like_the_template_s_logic_do_not_steer_it(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content.split('</s>')[-1] }}{% endfor %}"
    )
    harmless = chat_text(tokenizer, [("user", "a b")])
    assert harmless == "<user>a b"
    assert chat_text(tokenizer, [("user", "a<|endoftext|></s>b")]) == "<user>a<|endoftext|></s>b"


def test_a_refused_conversation_is_told(tokenizer: Any) -> None:
    tokenizer.chat_template = FUSSY
    for turns in ([("user", "a")], [("system", "s"), ("user", "a")]):
        with pytest.raises(InputError, match=r"refuses this conversation.*never"):
            chat_text(tokenizer, turns)


def test_a_prompt_with_turns(causal: LanguageModel) -> None:
    alone = Prompt((Text("the film was"), Slot()), chat=True)
    after = Prompt((Text("the film was"), Slot()), chat=True, turns=(("system", "a plot"),))
    assert str(after) == "[system] a plot\n\n[user] the film was{mask}"
    assert causal.count_tokens(after) > causal.count_tokens(alone)
    tokens = [r.tokens_in for r in causal.generate([alone, after], Decoding(max_tokens=2))]
    assert tokens[1] > tokens[0]


@pytest.mark.parametrize(
    "template",
    [
        "{% set ns=namespace(n=7) %}{% for i in range(60) %}{% set ns.n=ns.n*ns.n %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 9999999999 }}",
        "{{ messages * 99999999 | tojson }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% if messages[0].content == 'x' %}{{ (7**999999)*(7**999999) }}{% endif %}",
        "{{ 'x' | urlize }}",
    ],
)
def test_a_chat_template_that_would_freeze_is_not_run(template: str) -> None:
    model, tokenizer = tiny_models.llama()
    tokenizer.chat_template = template
    begun = time.thread_time()
    made = from_transformers(model, tokenizer, name="freezing")
    prompt = Template("{text} {mask}", chat=True).render({"text": "x"})
    with pytest.raises(InputError, match="the model's chat template"):
        made.generate([prompt], Decoding(max_tokens=2))
    assert time.thread_time() - begun < 10


@pytest.mark.parametrize(
    "template", ["{{ 1 / 0 }}", "{{ messages[9].content }}", "{% for", "{{ x.y.z }}"]
)
def test_whatever_a_chat_template_raises_is_told(template: str) -> None:
    model, tokenizer = tiny_models.llama()
    tokenizer.chat_template = template
    made = from_transformers(model, tokenizer, name="failing")
    prompt = Template("{text} {mask}", chat=True).render({"text": "x"})
    with pytest.raises(InputError, match=r"chat template (refuses|leaves out)"):
        made.generate([prompt], Decoding(max_tokens=2))


def test_what_chat_templates_are_written_with_is_run() -> None:
    template = (
        "{% generation %}{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
        "{{ m.role }}: {{ m.content | trim }} {{ {'a': [1]} | tojson(indent=2) }}"
        "{% if loop.index > 9 %}{% break %}{% endif %}\n{% endfor %}{% endgeneration %}"
        "{{ strftime_now('%Y') }}{% if tools %}{{ tools }}{% endif %}"
        "{%- set ns = namespace(a=1) %}{% set ns.a = ns.a + 1 %}{{ ns.a }}"
    )
    model, tokenizer = tiny_models.llama()
    tokenizer.chat_template = template
    made = from_transformers(model, tokenizer, name="usual")
    prompt = Template("{text} {mask}", chat=True).render({"text": "x"})
    assert made.encode_sides(prompt).left.text.startswith("<s>user: x")
