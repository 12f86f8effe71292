from __future__ import annotations

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.models.encoding import Encoding
from promptlab.tuning.triggers.initialisation import starting_tokens
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter
from tests.helpers.tiny_models import Pair

PAIRS = ("tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_roberta", "tiny_seq2seq")


def filter_of(pair: Pair) -> TokenFilter:
    model, tokenizer = pair
    return TokenFilter(Encoding(tokenizer), model.get_input_embeddings().num_embeddings)


@pytest.fixture
def byte_level(tiny_causal: Pair) -> TokenFilter:
    return filter_of(tiny_causal)


@pytest.fixture
def word_pieces(tiny_masked: Pair) -> TokenFilter:
    return filter_of(tiny_masked)


def texts(found: TokenFilter, chosen: np.ndarray) -> set[str]:
    return {found.texts[token] for token in np.flatnonzero(chosen)}


@pytest.mark.parametrize("name", PAIRS)
def test_special_tokens_and_fragments_are_never_allowed(
    name: str, request: pytest.FixtureRequest
) -> None:
    pair = request.getfixturevalue(name)
    found, tokenizer = filter_of(pair), pair[1]
    chosen = found.allowed()
    assert chosen.shape == (pair[0].get_input_embeddings().num_embeddings,)
    assert 20 < chosen.sum() < len(chosen)
    assert not chosen[tokenizer.all_special_ids].any()
    for token in np.flatnonzero(chosen).tolist():
        text = tokenizer.decode([token])
        assert text.strip() and text.isprintable() and "\ufffd" not in text


def test_an_embedding_larger_than_the_tokenizer(tiny_causal: Pair) -> None:
    tokenizer = tiny_causal[1]
    found = TokenFilter(Encoding(tokenizer), len(tokenizer) + 7)
    assert not found.sound[len(tokenizer) :].any()
    assert found.allowed().shape == (len(tokenizer) + 7,)


def test_half_of_a_character_is_not_sound(byte_level: TokenFilter) -> None:
    ids = byte_level.encoding.encode("é")
    assert len(ids) == 2
    assert not byte_level.sound[list(ids)].any()


def test_pieces_that_go_on_with_a_word_are_sound(word_pieces: TokenFilter) -> None:
    pieces = [token for token, text in enumerate(word_pieces.texts) if text.startswith("##")]
    assert len(pieces) > 5
    assert word_pieces.allowed()[pieces].mean() > 0.5
    assert not word_pieces.allowed(whole_words=True)[pieces].any()


def test_unused_entries_are_not_sound(tiny_masked: Pair) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[UNK]": 0, "[unused1]": 1, "film": 2, "[": 3, "]": 4, "unused": 5, "##1": 6}
    whole = tiny_masked[1].backend_tokenizer
    core = Tokenizer(models.WordPiece(vocabulary | {"x": 7}, unk_token="[UNK]"))
    core.normalizer, core.pre_tokenizer = whole.normalizer, whole.pre_tokenizer
    core.decoder = whole.decoder
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]")
    found = TokenFilter(Encoding(tokenizer), 8)
    assert np.flatnonzero(found.sound).tolist() == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("name", ["byte_level", "word_pieces"])
def test_answers_are_left_out_in_every_form(name: str, request: pytest.FixtureRequest) -> None:
    found: TokenFilter = request.getfixturevalue(name)
    without = texts(found, found.allowed(answers=["Great", "no film"]))
    assert {text.strip() for text in texts(found, found.allowed())} >= {"great", "film", "no"}
    assert not {text.strip().casefold() for text in without} & {"great", "film", "no"}
    pieces = found.encoding.encode("no film")
    assert not found.allowed(answers=["no film"])[list(pieces)].any()


def test_capitals_and_parts_of_words_can_be_left_out(byte_level: TokenFilter) -> None:
    everything = texts(byte_level, byte_level.allowed())
    assert " Warsaw" in everything or " P" in everything
    plain = texts(byte_level, byte_level.allowed(capitalised=False))
    assert not any(text.strip()[0].isupper() for text in plain)
    words = texts(byte_level, byte_level.allowed(whole_words=True))
    assert " film" in words
    assert all(text[0] == " " and text[1:].isalpha() for text in words)


def test_whole_words_of_a_tokenizer_that_strips_spaces(tiny_seq2seq: Pair) -> None:
    found = filter_of(tiny_seq2seq)
    raw = tiny_seq2seq[1].convert_ids_to_tokens(
        np.flatnonzero(found.allowed(whole_words=True)).tolist()
    )
    assert "\u2581film" in raw
    assert all(token.startswith("\u2581") for token in raw)


def test_a_start_from_mask_tokens(tiny_masked: Pair, tiny_causal: Pair) -> None:
    found = filter_of(tiny_masked)
    mask = tiny_masked[1].mask_token_id
    assert starting_tokens("mask", 3, found.encoding, found.sound) == (mask,) * 3
    causal = filter_of(tiny_causal)
    with pytest.raises(InputError, match="no mask token"):
        starting_tokens("mask", 3, causal.encoding, causal.sound)


def test_a_start_from_text_is_repeated_or_cut(byte_level: TokenFilter) -> None:
    encoding, sound = byte_level.encoding, byte_level.sound
    the = starting_tokens("text", 3, encoding, sound)
    assert encoding.tokenizer.decode(the) == " the the the"
    assert encoding.tokenizer.decode(
        starting_tokens("text", 2, encoding, sound, text="film was good")
    ) == (" film was")
    with pytest.raises(InputError, match="has no tokens"):
        starting_tokens("text", 3, encoding, sound, text=" ")
    with pytest.raises(InputError, match="not encoded as the same tokens"):
        starting_tokens("text", 3, encoding, sound, survives=lambda tokens: False)


def test_a_random_start_is_allowed_seeded_and_survives(byte_level: TokenFilter) -> None:
    encoding, allowed = byte_level.encoding, byte_level.allowed(whole_words=True)

    def even(tokens: tuple[int, ...]) -> bool:
        return sum(tokens) % 2 == 0

    first = starting_tokens("random", 5, encoding, allowed, seed=3, survives=even)
    assert allowed[list(first)].all() and even(first)
    assert starting_tokens("random", 5, encoding, allowed, seed=3, survives=even) == first
    assert starting_tokens("random", 5, encoding, allowed, seed=4, survives=even) != first
    with pytest.raises(InputError, match="none of"):
        starting_tokens("random", 5, encoding, allowed, survives=lambda tokens: False)
