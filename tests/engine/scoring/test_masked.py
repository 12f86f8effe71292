"""Masked scores against plain forwards that fill the masks one by one, left to right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from promptlab.errors import CapabilityError, VerbalizerError
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from tests.helpers.reference_forward import logprobs, masked_answer
from tests.helpers.tiny_models import Pair

ANSWERS = ("great", "terrible", "marvellous", "not bad", "marbles", "!")
TEXTS = ("a gorgeous film", "x", "", "a dull slow journey to nowhere , never again")

Fresh = Callable[..., LocalModel]


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-6)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "template",
    ["{text} It was {mask}.", "{text} It was {mask}", "{mask} it was: {text}", "({mask}) {text}"],
)
@pytest.mark.parametrize("name", ["tiny_masked", "tiny_roberta"])
def test_label_scores_equal_a_plain_forward(
    name: str, template: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    pair = request.getfixturevalue(name)
    prompts = [Template(template).render({"text": text}) for text in TEXTS]
    scores = fresh(name).score(prompts, ANSWERS)
    expected = [[masked_answer(pair, p.left, a, p.right) for a in ANSWERS] for p in prompts]
    close(scores.logprobs, expected)
    assert scores.answer_tokens.max() > 2
    assert np.std(expected) > 1


def test_one_token_answers_are_one_softmax(masked: LocalModel, tiny_masked: Pair) -> None:
    model, tokenizer = tiny_masked
    prompt = Template("the film was {mask}.").render({})
    encoded = tokenizer("the film was [MASK].")["input_ids"]
    row = logprobs(model, encoded)[encoded.index(tokenizer.mask_token_id)]
    ids = tokenizer.convert_tokens_to_ids(["great", "terrible"])
    close(masked.score([prompt], ["great", "terrible"]).logprobs[0], row[ids])


def test_a_mask_of_the_templates_own_is_not_the_slot(masked: LocalModel, tiny_masked: Pair) -> None:
    prompt = Template("{text} [MASK] It was {mask}. [MASK] {text}").render({"text": "so good"})
    found = masked.score([prompt], ANSWERS).logprobs[0]
    close(found, [masked_answer(tiny_masked, prompt.left, a, prompt.right) for a in ANSWERS])


def test_starts_that_answers_share_are_computed_once(fresh: Fresh) -> None:
    model = fresh("tiny_masked")
    prompt = Template("It was {mask}.").render({})
    words = ["marvellous", "marvelloun"]  # seven pieces each, the last one differs
    scores = model.score([prompt], words)
    assert scores.answer_tokens.tolist() == [[7, 7]]
    assert model.usage.computed_tokens == 7 * scores.prompt_tokens[0]
    assert scores.logprobs[0, 0] != scores.logprobs[0, 1]


def test_what_a_masked_model_refuses(fresh: Fresh) -> None:
    model = fresh("tiny_masked")
    long = Template("{text} It was {mask}.").render({"text": "film " * 400})
    with pytest.raises(CapabilityError, match=r"has \d+ tokens and tiny_masked takes"):
        model.score([long], ["great"])
    with pytest.raises(VerbalizerError, match="has no tokens"):
        model.score([Template("It was {mask}").render({})], [" "])
    with pytest.raises(CapabilityError, match=r"masked model and cannot generate; use a causal"):
        model.generate([Template("It was {mask}").render({})], Decoding())
    with pytest.raises(CapabilityError, match="cannot chat"):
        model.score([Template("{mask}", chat=True).render({})], ["great"])


def test_every_position_that_the_window_promises_can_be_used(fresh: Fresh) -> None:
    for name in ("tiny_masked", "tiny_roberta"):
        model = fresh(name)
        prompt = Template("{text} {mask}").render({"text": "film"})
        rest = model.max_tokens - model.count_tokens(prompt)
        full = Template("{text} {mask}").render({"text": "film" + " film" * rest})
        assert model.count_tokens(full) == model.max_tokens
        assert np.isfinite(model.score([full], ["great"]).logprobs).all()
