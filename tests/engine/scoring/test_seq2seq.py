"""Encoder-decoder scores against plain forwards: T5's sentinel, and BART's prefix templates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from promptlab.errors import CapabilityError
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from tests.helpers.reference_forward import seq2seq_answer
from tests.helpers.tiny_models import Pair

ANSWERS = ("great", "terrible", "marvellous", "not bad")
TEXTS = ("a gorgeous film", "x", "", "a dull slow journey to nowhere , never again")

Fresh = Callable[..., LocalModel]


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-6)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "template", ["{text} It was {mask}.", "{text} It was {mask}", "{mask} it was: {text}"]
)
def test_t5_fills_its_sentinel(template: str, fresh: Fresh, tiny_seq2seq: Pair) -> None:
    prompts = [Template(template).render({"text": text}) for text in TEXTS]
    scores = fresh("tiny_seq2seq").score(prompts, ANSWERS)
    expected = [
        [seq2seq_answer(tiny_seq2seq, p.left, a, p.right) for a in ANSWERS] for p in prompts
    ]
    close(scores.logprobs, expected)
    assert np.std(expected) > 1


def test_bart_continues_a_prefix(fresh: Fresh, tiny_bart: Pair) -> None:
    prompts = [Template("{text} It was {mask}").render({"text": text}) for text in TEXTS]
    found = fresh("tiny_bart").score(prompts, ANSWERS).logprobs
    close(found, [[seq2seq_answer(tiny_bart, p.left, a) for a in ANSWERS] for p in prompts])


def test_bart_cannot_fill_a_slot_inside(fresh: Fresh) -> None:
    prompt = Template("It was {mask}.").render({})
    with pytest.raises(CapabilityError, match=r"no sentinel token.*use a prefix template"):
        fresh("tiny_bart").score([prompt], ANSWERS)


def test_an_encoders_input_too_long(fresh: Fresh) -> None:
    prompt = Template("{text} {mask}").render({"text": "great " * 600})
    with pytest.raises(CapabilityError, match=r"tokens and tiny_seq2seq takes 512; shorten"):
        fresh("tiny_seq2seq").score([prompt], ANSWERS)


def test_a_context_is_encoded_once_for_all_answers(fresh: Fresh, tiny_seq2seq: Pair) -> None:
    model = fresh("tiny_seq2seq")
    prompt = Template("{text} It was {mask}.").render({"text": " ".join(TEXTS)})
    prompt_tokens = int(model.score([prompt], ANSWERS).prompt_tokens[0])
    assert prompt_tokens < model.usage.computed_tokens < 2 * prompt_tokens
