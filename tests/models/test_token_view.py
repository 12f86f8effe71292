"""The tokens that are shown are those that the engine reads, in every family."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from promptlab.errors import CapabilityError, InputError, TemplateError
from promptlab.models.learned_parts import LearnedParts, learned_segments
from promptlab.models.local import LocalModel
from promptlab.models.token_view import Token, token_text
from promptlab.prompts.prompt import Prompt, Segment, Slot, Soft, Text, Trigger
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tiny_models import Pair

Fresh = Callable[..., LocalModel]
FAMILIES = ("tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_roberta", "tiny_seq2seq", "tiny_bart")
ONE_SIDED = ("tiny_bart",)
words = st.lists(
    st.sampled_from(["the", "film", "was", "Great", "sou", ".", "x1", "\u00e9", "\U0001f600"]),
    max_size=4,
)
texts = st.builds(
    lambda before, found, after: Text(before + " ".join(found) + after),
    st.sampled_from(["", " ", "  "]),
    words,
    st.sampled_from(["", " ", "\n"]),
)
learned = st.one_of(
    st.builds(Soft, st.integers(1, 3)), st.builds(lambda: Soft(2, id="a")), st.just(Trigger(2))
)
sides = st.lists(st.one_of(texts, texts, learned), max_size=4)
quick = hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def prompt_of(left: list[Segment], right: list[Segment]) -> Prompt:
    """The segments around a slot, neighbouring texts joined as `Template.render` joins them."""
    merged: list[Segment] = []
    for segment in [*left, Slot(), *right]:
        if isinstance(segment, Text) and merged and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].text + segment.text)
        elif segment != Text(""):
            merged.append(segment)
    return Prompt(tuple(merged))


def parts(model: LocalModel, prompt: Prompt, prefix: int = 0) -> LearnedParts:
    """Something learned for every segment of the prompt, and a prefix."""
    found = list(learned_segments(prompt.segments))
    soft = {name: s.count for name, s in found if isinstance(s, Soft)}
    width, rows = model.engine.network.virtual_tokens.width, sum(soft.values())
    triggers = [tuple(range(20, 20 + s.count)) for _, s in found if isinstance(s, Trigger)]
    made = None
    if prefix and model.prefix_shape is not None:
        layers, heads, size = model.prefix_shape
        made = torch.zeros((layers, 2, heads, prefix, size))
    vectors = torch.zeros((rows, width)) if rows else None
    return LearnedParts(vectors, tuple(soft.items()), tuple(triggers), made)


def read_ids(tokens: list[Token]) -> tuple[int, ...]:
    return tuple(token.id for token in tokens if token.read and token.id is not None)


def agrees(model: LocalModel, prompt: Prompt) -> list[Token]:
    """The tokens, after they were compared with what is read."""
    tokens = model.tokens(prompt)
    assert read_ids(tokens) == model.prompt_token_ids([prompt])[0]
    assert sum(token.kind == "slot" for token in tokens) == 1
    counted = model.count_tokens(prompt)  # there white space beside the slot is counted alone
    spaces = len(prompt.left) - len(prompt.left.rstrip())
    assert len(tokens) - 1 <= counted <= len(tokens) + spaces + 1
    shown = str(prompt)
    for token in tokens:
        if token.place is not None:
            start, end = token.place
            assert 0 <= start <= end <= len(shown)
            if token.kind == "slot":
                assert shown[start:end].lstrip() == "{mask}"
    return tokens


@quick
@given(left=sides, right=sides, prefix=st.sampled_from([0, 0, 2]))
@example(left=[], right=[Text("the")], prefix=0)  # a word that does not begin the text
@pytest.mark.parametrize("name", FAMILIES)
def test_tokens_are_what_is_read(
    fresh: Fresh, name: str, left: list[Segment], right: list[Segment], prefix: int
) -> None:
    model = fresh(name)
    right = [] if name in ONE_SIDED else right
    prompt = prompt_of(left, right)
    if model.prefix_shape is None:
        prefix = 0
    if prompt.learned_tokens or prefix:
        view = model.with_learned_parts(parts(model, prompt, prefix))
        tokens = agrees(view, prompt)
        assert sum(token.kind == "prefix" for token in tokens) == prefix
        places = model.tokens(prompt)  # before anything is learned
        assert len(tokens) - prefix - len(places) in (0, -1)  # a start token follows no prefix
        assert all(token.id is None for token in places if token.kind in ("soft", "trigger"))
    else:
        tokens = agrees(model, prompt)
    kinds = [token.kind for token in tokens]
    assert kinds.count("soft") + kinds.count("trigger") == prompt.learned_tokens


def test_places_are_the_words_of_the_prompt(causal: LocalModel) -> None:
    prompt = Template("A {x} film , it was {mask}.").render({"x": "dull slow"})
    tokens = causal.tokens(prompt)
    shown = str(prompt)
    assert tokens[0].kind == "special"
    for token in tokens:
        if token.kind == "text":
            assert token.place is not None
            assert shown[slice(*token.place)] == token.text
    slot = next(token for token in tokens if token.kind == "slot")
    assert (slot.text, slot.id, slot.read) == (" {mask}", None, False)
    assert [token.text for token in tokens if not token.read] == [" {mask}", "."]


@quick
@given(text=texts, prefill=st.sampled_from(["", " So the answer is"]), turned=st.booleans())
def test_a_chat(causal: LocalModel, text: Text, prefill: str, turned: bool) -> None:
    turns = (("system", "Be short."), ("user", "Hi"), ("assistant", "Yes?")) if turned else ()
    prompt = Prompt((text, Slot()), chat=True, prefill=prefill, turns=turns)
    tokens = agrees(causal, prompt)
    shown = str(prompt)
    own = [token for token in tokens if token.kind == "text" and token.place]
    assert any(token.kind == "chat" for token in tokens)
    for token in own:
        assert token.place is not None
        told = shown[slice(*token.place)]
        assert token.text in told or told in token.text or "\\x" in token.text


def test_a_chat_with_learned_tokens(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    prompt = Prompt((Text("  a film "), Soft(2), Text(" it was"), Slot()), chat=True)
    view = model.with_learned_parts(parts(model, prompt))
    tokens = agrees(view, prompt)
    kinds = [token.kind for token in tokens]
    assert kinds.count("soft") == 2 and kinds[0] == "chat"
    assert [token.kind for token in model.tokens(prompt)] == kinds
    with pytest.raises(TemplateError, match="ends at its slot"):
        model.tokens(Prompt((Text("a"), Slot(), Text(" b.")), chat=True))


def test_special_tokens_in_a_text_are_told(masked: LocalModel) -> None:
    """Those that the author wrote; in a field they are words."""
    template = Template("{x} [MASK] film [SEP] it was {mask}.")
    tokens = masked.tokens(template.render({"x": "a [MASK] film [SEP]"}))
    special = [token.text for token in tokens if token.kind == "special"]
    assert [text for text in special if text != "[UNK]"] == [
        "[CLS]",
        "[MASK]",
        "[SEP]",
        "[SEP]",
    ]
    assert [token.text for token in tokens if token.kind == "slot"] == ["[MASK]"]


def test_pieces_are_readable(
    tiny_gpt2: Pair, tiny_masked: Pair, tiny_seq2seq: Pair, gpt2: LocalModel
) -> None:
    tokenizer = tiny_gpt2[1]
    for text in ("\u00e9", "\U0001f600", " film"):
        ids = tokenizer(text)["input_ids"]
        shown = "".join(token_text(tokenizer, token) for token in ids)
        raw = shown.encode().decode("unicode_escape").encode("latin-1") if "\\x" in shown else b""
        assert text in (shown, raw.decode())
    pieces = tiny_masked[1]
    joined = [token_text(pieces, token) for token in pieces("charmed")["input_ids"][1:-1]]
    assert "".join(joined) == "charmed" and len(joined) > 1
    sentences = tiny_seq2seq[1]
    assert token_text(sentences, sentences("film")["input_ids"][0]) in (" film", " ")
    assert token_text(tokenizer, 10**6) == "[1000000]"


def test_a_text_longer_than_the_window_is_shown(masked: LocalModel, causal: LocalModel) -> None:
    for model in (masked, causal):
        prompt = Template("{x} {mask}").render({"x": "film " * 12_000})
        assert len(model.tokens(prompt)) > model.max_tokens


def test_who_shows_no_tokens_says_so(fresh: Fresh) -> None:
    prompt = Template("a {mask}").render({})
    with pytest.raises(CapabilityError, match="does not show its tokens"):
        ScriptedModel().tokens(prompt)
    bart = fresh("tiny_bart")
    with pytest.raises(CapabilityError, match="no sentinel"):
        bart.tokens(Template("a {mask} film").render({}))
    with pytest.raises(InputError, match="cannot chat"):
        fresh("tiny_gpt2").tokens(Prompt((Text("a"), Slot()), chat=True))
