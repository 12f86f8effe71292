"""Encoding: special tokens told apart, offsets, and counting and cutting by tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from promptlab.models.encoding import Encoding
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("tiny_causal", ["<s>"], []),
        ("tiny_gpt2", [], []),
        ("tiny_masked", ["[CLS]"], ["[SEP]"]),
        ("tiny_roberta", ["<s>"], ["</s>"]),
        ("tiny_seq2seq", [], ["</s>"]),
        ("tiny_bart", ["<s>"], ["</s>"]),
    ],
)
def test_special_tokens_around_a_text(
    name: str, before: list[str], after: list[str], request: pytest.FixtureRequest
) -> None:
    tokenizer = request.getfixturevalue(name)[1]
    encoding = Encoding(tokenizer)
    assert tokenizer.convert_ids_to_tokens(list(encoding.before)) == before
    assert tokenizer.convert_ids_to_tokens(list(encoding.after)) == after
    text = "a gorgeous film"
    assert [*encoding.before, *encoding.encode(text), *encoding.after] == tokenizer(text)[
        "input_ids"
    ]
    assert encoding.encode_batch([text, text]) == [encoding.encode(text)] * 2
    assert encoding.encode_batch([]) == []


def test_offsets_point_into_the_text(masked: LocalModel) -> None:
    ((ids, offsets),) = masked.encoding.with_offsets(["a film [MASK]."])
    assert [("a film [MASK]."[start:end]) for start, end in offsets] == ["a", "film", "[MASK]", "."]
    assert len(ids) == 4


@pytest.mark.parametrize("name", ["causal", "gpt2", "masked", "seq2seq"])
def test_counted_tokens_are_those_of_the_plain_tokenizer(
    name: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    prompt = Template("{text} It was {mask}.").render({"text": "the soup was cold"})
    sides = model.tokenizer(prompt.left)["input_ids"]
    right = model.tokenizer(prompt.right, add_special_tokens=False)["input_ids"]
    assert model.count_tokens(prompt) == len(sides) + len(right) + 1


@given(text=st.text(max_size=40), tokens=st.integers(0, 12))
@hypothesis_settings(max_examples=60)
@pytest.mark.parametrize("name", ["gpt2", "masked", "seq2seq"])
def test_a_cut_text_is_a_beginning_of_so_many_tokens(
    name: str, text: str, tokens: int, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name)
    cut = model.truncate(text, tokens)
    assert text.startswith(cut)
    whole = model.encoding.encode(text)
    if len(whole) <= tokens:
        assert cut == text
    assert tokens > 0 or not cut or not whole


def test_a_cut_keeps_whole_words_where_tokens_are_words(masked: LocalModel) -> None:
    assert masked.truncate("the soup was cold and nobody apologised .", 3) == "the soup was"
    assert masked.truncate("the soup", 2) == "the soup"
    assert masked.truncate("the soup", 0) == ""
