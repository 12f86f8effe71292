"""Text that grows by tokens: stop strings are seen as soon as they stand in it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.engine.generation.detokenizer import IncrementalDetokenizer, truncate_at_stop
from promptlab.engine.generation.sequence import GeneratedSequence, StopTokens
from promptlab.prompts.decoding import Decoding
from tests.helpers.tiny_models import byte_tokenizer, sentinel_tokenizer

TOKENIZER = byte_tokenizer(specials={"eos_token": "</s>"})
PIECES = sentinel_tokenizer()


def first(tokenizer: Any, tokens: list[int], stops: tuple[str, ...]) -> int | None:
    """After how many tokens a stop string stands in the whole text."""
    for count in range(1, len(tokens) + 1):
        text = tokenizer.decode(tokens[:count], skip_special_tokens=True)
        if any(stop in text for stop in stops):
            return count
    return None


def watched(tokenizer: Any, tokens: list[int], stops: tuple[str, ...]) -> int | None:
    growing = IncrementalDetokenizer(tokenizer, stops)
    for count, token in enumerate(tokens, start=1):
        growing.add(token)
        if growing.stopped:
            return count
    return None


@settings(max_examples=150, deadline=None)
@given(
    st.text(alphabet="ab .\n\u00fc\u20ac\U0001f600", max_size=30),
    st.lists(
        st.text(alphabet="ab .\n\u00fc\u20ac\U0001f600", min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
)
def test_a_stop_is_seen_with_its_last_token(text: str, stops: list[str]) -> None:
    """Also when it lies across tokens, or its characters do."""
    tokens = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert watched(TOKENIZER, tokens, tuple(stops)) == first(TOKENIZER, tokens, tuple(stops))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 120), max_size=20), st.sampled_from(["e", " a", "it was", "s f"]))
def test_any_tokens_of_pieces(tokens: list[int], stop: str) -> None:
    assert watched(PIECES, tokens, (stop,)) == first(PIECES, tokens, (stop,))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=20))
def test_the_text_is_that_of_all_tokens(tokens: list[int]) -> None:
    """As far as its characters are complete."""
    growing = IncrementalDetokenizer(TOKENIZER, ())
    for token in tokens:
        growing.add(token)
    whole = TOKENIZER.decode(tokens, skip_special_tokens=True)
    assert whole.startswith(growing.text)
    if not whole.endswith("\ufffd"):
        assert whole == growing.text


def test_what_may_become_a_stop_is_not_shown() -> None:
    growing = IncrementalDetokenizer(TOKENIZER, ("##",))
    shown = []
    for token in TOKENIZER("a # b ##", add_special_tokens=False)["input_ids"]:
        growing.add(token)
        shown.append(growing.shown_text)
    assert shown[-1] == "a # b " and growing.stopped
    assert not any("##" in text for text in shown)


@pytest.mark.parametrize(("stops", "left"), [((), "a b a"), (("b", "a b"), ""), (("a",), "")])
def test_cut(stops: tuple[str, ...], left: str) -> None:
    assert truncate_at_stop("a b a", stops) == left


class _Letters:
    """A tokenizer of one token a character."""

    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    def __len__(self) -> int:
        return 1 << 20

    def decode(self, tokens: list[int], skip_special_tokens: bool = True) -> str:
        return "".join(map(chr, tokens))


@pytest.mark.parametrize(
    ("prompt", "words", "text"),
    [
        ("Q:", "<think>\na\n</think>\n\nyes\nno", "<think>\na\n</think>\n\nyes"),
        ("Q:<think>\n", "a\nb</think>\nyes\nno", "a\nb</think>\nyes"),
        ("Q:", "yes\nno", "yes"),
        ("Q:", "<think>\na\n", "<think>\na\n"),
    ],
)
def test_a_stop_string_within_hidden_reasoning_ends_nothing(
    prompt: str, words: str, text: str
) -> None:
    ids = tuple(map(ord, prompt))
    decoding = Decoding(max_tokens=100, stop=("\n",))
    writing = GeneratedSequence(ids, 0, 100, decoding, _Letters(), StopTokens(frozenset()))
    for letter in words:
        if writing.finish is None:
            writing.append(ord(letter), 0.0)
    assert writing.text == text
