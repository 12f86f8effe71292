"""Conversations in a model's chat template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tiny_models import Pair

from promptlab.decoding import Decoding
from promptlab.errors import InputError
from promptlab.models.chat import chat_text
from promptlab.models.language_model import LanguageModel
from promptlab.prompt import Prompt, Slot, Text

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


def test_turns_stand_before_the_users(tokenizer: Any) -> None:
    tokenizer.chat_template = PLAIN
    turns = [("system", "be brief"), ("user", "a"), ("assistant", "b"), ("user", "c")]
    assert chat_text(tokenizer, turns) == "<system>be brief<user>a<assistant>b<user>c<assistant>"


def test_a_template_without_system_turns_gets_it_with_the_first_user(tokenizer: Any) -> None:
    tokenizer.chat_template = NO_SYSTEM
    assert chat_text(tokenizer, [("system", "s"), ("user", "a")]) == "<user>s\n\na<assistant>"


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
