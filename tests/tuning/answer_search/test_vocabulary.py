from __future__ import annotations

from collections.abc import Callable

import pytest

from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.vocabulary import find_slot_vocabulary, tokens_at_slot
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

Fresh = Callable[..., LocalModel]
FAMILIES = ("tiny_masked", "tiny_roberta", "tiny_causal", "tiny_gpt2", "tiny_seq2seq", "tiny_bart")
PREFIX = "{text} It was {mask}"


def token_filter(model: LocalModel) -> TokenFilter:
    return TokenFilter(model.encoding, model.engine.network.virtual_tokens.first_id)


@pytest.mark.parametrize("name", FAMILIES)
def test_words_are_whole_readable_and_one_token_at_the_slot(fresh: Fresh, name: str) -> None:
    model = fresh(name)
    prompt = Template(PREFIX).render({"text": "the film was dull ."})
    found = find_slot_vocabulary(model, prompt, token_filter(model))
    # BART's decoder begins with the word, without a blank: few of its words are one token there.
    known, count = ({"bad"}, 5) if name == "tiny_bart" else ({"good", "bad", "terrible"}, 20)
    assert known <= set(found.words)
    assert len(found) == len(set(found.words)) == len(set(found.tokens)) > count
    for word, token in zip(found.words, found.tokens, strict=True):
        assert word.isalpha() and len(word) > 1 and word == word.lower()
        (asked,) = model.scoring_requests([prompt], [word])
        assert [c for one in asked for c in one.continuations] == [(token,)]
        assert [one.context for one in asked] == model.slot_contexts([prompt])
    # Pieces that only ever go on with a word begin none.
    assert not {"ing", "erful", "ible"} & set(found.words)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2"])
def test_after_a_colon_words_are_other_tokens(fresh: Fresh, name: str) -> None:
    model = fresh(name)
    words = ["good", "bad"]
    spaced, glued = (
        tokens_at_slot(model, Template(text).render({"text": "the film"}), words)
        for text in ("{text}: {mask}", "{text}:{mask}")
    )
    assert None not in spaced
    assert spaced != glued


def test_a_slot_where_no_word_is_one_token_is_told(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_gpt2")
    prompt = Template(PREFIX).render({"text": "the film"})
    filtered = token_filter(model)
    monkeypatch.setattr(model.encoding, "encode_batch", lambda texts: [(1, 2, 3)] * len(texts))
    with pytest.raises(InputError, match="no words of letters that are one token"):
        find_slot_vocabulary(model, prompt, filtered)


def test_capitalised_words_are_candidates_when_they_are_wanted(fresh: Fresh) -> None:
    model = fresh("tiny_seq2seq")
    prompt = Template(PREFIX).render({"text": "the film"})
    plain = find_slot_vocabulary(model, prompt, token_filter(model))
    both = find_slot_vocabulary(model, prompt, token_filter(model), capitalised=True)
    assert set(plain.words) < set(both.words)
    assert "Warsaw" in both.words
