"""Answers as tokens: which can be written, which are one token, which are the same."""

from __future__ import annotations

from promptlab.models.local import LocalModel
from promptlab.predictors.knowledge_probe.answer_tokens import (
    answer_tokens,
    distinct_answers,
    one_token_answers,
    spacing_samples,
)
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel

AFTER_A_BLANK = Template("it was {mask} .").render({})
FIRST = Template("{mask} is it").render({})


def test_tokens_are_the_tokenizers_own(masked: LocalModel, gpt2: LocalModel) -> None:
    words = ["great", "good", "recommending"]
    for model, blank in ((masked, ""), (gpt2, " ")):
        expected = [
            tuple(model.tokenizer(blank + w, add_special_tokens=False).input_ids) for w in words
        ]
        assert answer_tokens(model, AFTER_A_BLANK, words) == expected
    plain = tuple(gpt2.tokenizer("great", add_special_tokens=False).input_ids)
    assert answer_tokens(gpt2, FIRST, ["great"]) == [plain]


def test_an_encoder_decoder_writes_words_alike_everywhere(seq2seq: LocalModel) -> None:
    tokens = {answer_tokens(seq2seq, prompt, ["great"])[0] for prompt in (AFTER_A_BLANK, FIRST)}
    assert len(tokens) == 1


def test_what_cannot_be_written_is_none_and_the_others_stay(masked: LocalModel) -> None:
    found = answer_tokens(masked, AFTER_A_BLANK, ["great", "漢", "good"])
    assert found[1] is None and found[0] and found[2]


def test_one_token_in_every_slot(gpt2: LocalModel) -> None:
    blank, first = ({a for a in ("great", "terrible", "soup spectacle")
                     if len(answer_tokens(gpt2, p, [a])[0] or ()) == 1}
                    for p in (AFTER_A_BLANK, FIRST))  # fmt: skip
    assert "great" in blank and "soup spectacle" not in blank
    found = one_token_answers(gpt2, [AFTER_A_BLANK, FIRST], ["great", "terrible", "soup spectacle"])
    assert found == blank & first


def test_same_tokens_are_one_answer(masked: LocalModel) -> None:
    found = distinct_answers(masked, [AFTER_A_BLANK], ["Great", "great", "漢", "good"])
    assert found == {"Great": "Great", "great": "Great", "漢": None, "good": "good"}
    model = ScriptedModel()
    assert distinct_answers(model, [AFTER_A_BLANK], ["Great", "great"]) == {
        "Great": "Great", "great": "great",
    }  # fmt: skip


def test_one_sample_for_every_character_before_the_slot() -> None:
    prompts = [
        Template(text).render({}) for text in ("a {mask}", "b ({mask})", "{mask}", "c {mask}")
    ]
    assert spacing_samples(prompts) == prompts[:3]
