"""Closed answers and the open vocabulary, beside the plain way of computing both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from promptlab.engine.scoring import masked as masked_runner
from promptlab.errors import CapabilityError
from promptlab.models.local import LocalModel
from promptlab.models.token_view import token_text
from promptlab.predictors.knowledge_probe.answer_space import ClosedAnswers, OpenVocabulary
from promptlab.predictors.knowledge_probe.answer_tokens import answer_tokens
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel

OBJECTS = ["great", "terrible", "good", "bad", "soup spectacle"]


def prompts(text: str = "the {thing} was {mask} .") -> list[Prompt]:
    return [Template(text).render({"thing": thing}) for thing in ("film", "soup")]


@pytest.mark.parametrize("name", ["masked", "causal", "gpt2", "seq2seq"])
def test_closed_answers_are_scores_normalised(name: str, request: pytest.FixtureRequest) -> None:
    model: LocalModel = request.getfixturevalue(name)
    space = ClosedAnswers(model, prompts()[:1], OBJECTS)
    assert space.size == 5 and space.columns == {o: n for n, o in enumerate(OBJECTS)}
    found = space.logprobs(model, prompts())
    for prompt, row in zip(prompts(), found, strict=True):
        alone = np.array([model.score([prompt], [answer]).logprobs[0, 0] for answer in OBJECTS])
        expected = alone - np.log(np.exp(alone - alone.max()).sum()) - alone.max()
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_a_masked_model_reads_every_row_once(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row for a prompt and a number of masks, and one for every start that objects share."""
    model, rows = fresh("tiny_masked"), []
    plain = masked_runner.masked_inputs

    def read(network: Any, tokens: Sequence[tuple[int, ...]], prefix: Any) -> Any:
        rows.extend(tokens)
        return plain(network, tokens, prefix)

    monkeypatch.setattr(masked_runner, "masked_inputs", read)
    objects = ["great", "soup", "soup bowl", "soup film", "soup film bowl", "great film soup"]
    space = ClosedAnswers(model, prompts()[:1], objects)
    found = space.logprobs(model, prompts())
    tokens = [ids for ids in answer_tokens(model, prompts()[0], objects) if ids is not None]
    starts = {(len(ids), ids[:filled]) for ids in tokens for filled in range(len(ids))}
    assert len(rows) == len(set(rows)) == 2 * len(starts)
    assert len(starts) < sum(map(len, tokens))  # some are shared
    plainly = fresh("tiny_masked")
    alone = np.array([[plainly.score([p], [o]).logprobs[0, 0] for o in objects] for p in prompts()])
    alone -= np.logaddexp.reduce(alone, axis=1, keepdims=True)
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_closed_answers_that_are_one_and_that_are_none(masked: LocalModel) -> None:
    space = ClosedAnswers(masked, prompts()[:1], ["Good", "good", "漢", "bad"])
    assert space.answers == ["Good", "bad"]
    assert space.columns == {"Good": 0, "good": 0, "bad": 1}


def test_a_closed_set_by_hand() -> None:
    """log 6, log 3, log 1: shares of .6, .3 and .1 whatever the scale."""
    rates = {"a": np.log(6.0), "b": np.log(3.0), "c": 0.0}
    model = ScriptedModel(rate=lambda prompt, answer: rates[answer] - 100)
    found = ClosedAnswers(model, prompts(), list("abc")).logprobs(model, prompts())
    np.testing.assert_allclose(np.exp(found), [[0.6, 0.3, 0.1]] * 2)


@pytest.mark.parametrize("name", ["masked", "causal", "gpt2", "seq2seq"])
def test_open_words_have_the_probability_of_their_tokens(
    name: str, request: pytest.FixtureRequest
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    space = OpenVocabulary(model, prompts()[:1], OBJECTS)
    assert "soup spectacle" not in space.columns and "great" in space.columns
    found = np.exp(space.logprobs(model, prompts()))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    rows = np.exp(model.vocabulary_logprobs(prompts()).astype(float))
    expected: dict[str, np.ndarray] = {}
    for token in range(len(model.tokenizer)):
        piece = str(model.tokenizer.convert_ids_to_tokens(token))
        text = token_text(model.tokenizer, token)
        whole = not piece.startswith("##") if name == "masked" else not text[:1].isalnum()
        if token in model.tokenizer.all_special_ids or not whole or not text.strip():
            continue
        expected[text.strip()] = expected.get(text.strip(), 0) + rows[:, token]
    total = sum(expected.values())
    for answer, column in space.columns.items():
        np.testing.assert_allclose(found[:, column], expected[answer] / total, rtol=1e-6)


def test_slots_with_and_without_a_blank_rank_the_same_words(gpt2: LocalModel) -> None:
    """A byte-level vocabulary has other tokens for a word at the beginning of a text."""
    samples = [*prompts()[:1], *prompts("{mask} was the {thing}")[:1]]
    space = OpenVocabulary(gpt2, samples, OBJECTS)
    both = space.logprobs(gpt2, samples)
    for sample, row in zip(samples, both, strict=True):
        alone = OpenVocabulary(gpt2, [sample], OBJECTS)
        own = alone.logprobs(gpt2, [sample])[0]
        kept = np.array([own[alone.answers.index(word)] for word in space.answers])
        np.testing.assert_allclose(row, kept - np.logaddexp.reduce(kept), atol=1e-5)


def test_common_words_alone_are_ranked(masked: LocalModel) -> None:
    space = OpenVocabulary(masked, prompts()[:1], ["great", "Good"], {"great", "film", "nothing"})
    assert sorted(space.answers) == ["film", "good", "great"]  # "Good" as an uncased one writes it
    assert set(space.columns) == {"great", "Good"}
    np.testing.assert_allclose(np.exp(space.logprobs(masked, prompts())).sum(axis=1), 1)
    with pytest.raises(CapabilityError, match="no word is one token"):
        OpenVocabulary(masked, prompts()[:1], ["soup spectacle"], {"nothing"})


def test_an_open_vocabulary_must_be_shown() -> None:
    with pytest.raises(CapabilityError, match="cannot fill"):
        OpenVocabulary(ScriptedModel(), prompts(), OBJECTS)
