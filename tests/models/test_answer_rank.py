"""Where an expected answer stands agrees with the whole list of fills."""

from __future__ import annotations

import pytest

from promptlab.errors import CapabilityError, VerbalizerError
from promptlab.models.fill_mask import fill_words, rank_answer
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel


def prompts() -> list[Prompt]:
    texts = ("the film was {mask}", "it was a {mask} film .", "a {mask}.")
    return [Template(text).render({}) for text in texts]


@pytest.mark.parametrize("name", ["causal", "masked", "gpt2", "seq2seq"])
def test_rank_and_probability_are_those_of_the_fills(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    for found, prompt in zip(rank_answer(model, prompts(), "great"), prompts(), strict=True):
        assert found.tokens == 1
        fills = fill_words(model, [prompt], 10**6)[0]
        same = [
            number
            for number, fill in enumerate(fills, 1)
            if fill.probability == pytest.approx(found.probability, rel=1e-4)
            and fill.token.strip(" \u2581") == "great"
        ]
        assert found.rank in same


def test_an_answer_of_several_tokens_has_no_rank(causal: LocalModel) -> None:
    (found, *_) = rank_answer(causal, prompts(), "great film")
    assert found.rank is None and found.tokens > 1
    assert 0 < found.probability < rank_answer(causal, prompts(), "great")[0].probability


def test_who_has_no_vocabulary_says_so(causal: LocalModel) -> None:
    with pytest.raises(CapabilityError):
        rank_answer(ScriptedModel(), prompts(), "great")
    with pytest.raises(VerbalizerError):
        rank_answer(causal, prompts(), "")
