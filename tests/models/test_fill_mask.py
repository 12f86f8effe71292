"""Tokens of a slot as what would stand in the text; no pieces of words after a blank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import promptlab as pl
from promptlab.cli.app import app
from promptlab.models import rank_answer
from promptlab.models.fill_mask import fill_words
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel

BLANK, TOUCHING = "the film was {mask} .", "the film was g{mask} ."


def every(model: LocalModel, text: str) -> list[Any]:
    return model.fill([pl.Template(text).render({})], 10**6)[0]


def words(model: LocalModel, text: str, top: int = 10**6) -> list[Any]:
    return fill_words(model, [pl.Template(text).render({})], top)[0]


def test_a_whole_word_of_word_pieces_is_shown_as_it_is(masked: LocalModel) -> None:
    pieces = masked.tokenizer.get_vocab()
    assert "good" in pieces and any(piece.startswith("##") for piece in pieces)
    fills = {fill.token_id: fill for fill in every(masked, BLANK)}
    assert len(fills) == len(pieces)
    for piece, token in pieces.items():
        fill = fills[token]
        assert fill.continues_word == (piece.startswith("##") and len(piece) > 2)
        assert fill.token == (piece[2:] if fill.continues_word else piece)
    shown = words(masked, BLANK)
    assert {fill.token_id for fill in shown} == {
        t for t, fill in fills.items() if not fill.continues_word
    }
    assert [f.probability for f in shown] == sorted((f.probability for f in shown), reverse=True)
    by_id = {fill.token_id: fill.probability for fill in every(masked, BLANK)}
    assert all(fill.probability == by_id[fill.token_id] for fill in shown)


def test_pieces_stand_where_the_slot_touches_a_word(masked: LocalModel) -> None:
    shown = {fill.token_id: fill for fill in words(masked, TOUCHING)}
    pieces = masked.tokenizer.get_vocab()
    assert len(shown) == len(pieces)
    assert shown[pieces["good"]].token == " good"  # what BERT has in mind is another word
    glued = next(token for piece, token in pieces.items() if piece.startswith("##"))
    assert shown[glued].continues_word and not shown[glued].token.startswith("##")


@pytest.mark.parametrize("name", ["causal", "gpt2", "seq2seq"])
def test_other_vocabularies_mark_where_words_begin(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    tokenizer = model.tokenizer
    shown = {fill.token_id: fill for fill in words(model, "the film was {mask}")}
    special = {*tokenizer.all_special_ids}
    for piece, token in tokenizer.get_vocab().items():
        begins = piece[0] in "\u0120\u2581"
        if token not in special and begins and piece[1:].isalpha() and piece.isascii():
            assert shown[token].token == f" {piece[1:]}"
        if token not in special and piece.isascii() and piece.isalnum():
            assert token not in shown


def test_roberta(tiny_roberta: Any) -> None:
    model = from_transformers(*tiny_roberta)
    good = model.tokenizer.convert_tokens_to_ids("\u0120good")
    shown = {fill.token_id: fill for fill in words(model, BLANK)}
    assert shown[good].token == " good" and not shown[good].continues_word


def test_half_characters_are_shown_as_bytes(gpt2: LocalModel) -> None:
    (half,) = (t for p, t in gpt2.tokenizer.get_vocab().items() if p == "\u00e4")  # byte 0xE4
    shown = {fill.token_id: fill for fill in words(gpt2, "the film was {mask}")}
    assert shown[half].token == "\\xe4"


def test_the_rank_is_among_what_can_stand(masked: LocalModel) -> None:
    prompt = pl.Template(BLANK).render({})
    for place, fill in enumerate(words(masked, BLANK, 40), 1):
        if fill.token.isalpha():
            (found,) = rank_answer(masked, [prompt], fill.token)
            same = found.probability == pytest.approx(fill.probability, rel=1e-5)
            assert not same or found.rank == place


def test_the_command_shows_words(tiny_masked: Any, folder_of: Any) -> None:
    folder = str(folder_of(tiny_masked, "masked"))
    result = CliRunner().invoke(app, ["fill", BLANK, "--top", "30", "--model", folder])
    assert result.exit_code == 0, result.exception
    assert "##" not in result.stdout
    model = pl.load_model(folder)
    known = [fill.token for fill in words(model, BLANK, 30)]  # type: ignore[arg-type]
    lines = result.stdout.splitlines()[3:]
    assert [line.split()[0] for line in lines] == known


def test_a_blank_of_the_token_is_shown_where_the_template_has_none(causal: LocalModel) -> None:
    from promptlab.cli.fill import _word

    fill = fill_words(causal, [pl.Template("It was{mask}").render({})], 10**6)[0]
    word = next(one for one in fill if one.token[:1] == " " and one.token[1:].isalpha())
    assert _word(word, pl.Template("It was{mask}").render({})) == "\u2423" + word.token[1:]
    assert _word(word, pl.Template("It was {mask}").render({})) == word.token[1:]
    assert np.isclose(sum(one.probability for one in fill), 1, atol=1e-4)
