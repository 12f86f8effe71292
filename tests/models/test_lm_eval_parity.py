"""Label log-probabilities on the real pinned models, as lm-evaluation-harness computes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.models.loading import load
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Demonstration, Template
from tests.helpers.reference_forward import masked_answer

pytestmark = pytest.mark.default_model

SENTENCES = (
    "it 's a charming and often affecting journey .",
    "unflinchingly bleak and desperate",
    "allows us to hope that nolan is poised to embark a major career as a commercial yet "
    "inventive filmmaker .",
    "the acting , costumes , music , cinematography and sound are all astounding given the "
    "production 's austere locales .",
)
NATS = 1e-3


def encoded_pair(tokenizer: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """How lm-evaluation-harness splits a context and a continuation for a causal model.

    Trailing spaces of the context go to the continuation; both are encoded as one string, and
    what is longer than the encoded context is the continuation.
    """
    spaces = len(context) - len(context.rstrip())
    if spaces:
        continuation = context[-spaces:] + continuation
        context = context[:-spaces]
    whole = tokenizer(context + continuation, add_special_tokens=False)["input_ids"]
    start = len(tokenizer(context, add_special_tokens=False)["input_ids"])
    return whole[:start], whole[start:]


@torch.inference_mode()
def loglikelihood(model: LocalModel, context: str, continuation: str) -> float:
    """The continuation's log-likelihood in nats from a plain forward of its own."""
    left, right = encoded_pair(model.tokenizer, context, continuation)
    ids = torch.tensor([[*left, *right][:-1]])
    logits = model.engine.network.model(ids).logits[0]
    rows = logits[-len(right) :].float().log_softmax(-1)
    return float(rows[torch.arange(len(right)), torch.tensor(right)].sum())


def reference(model: LocalModel, requests: Sequence[tuple[str, str]]) -> Any:
    return np.array([loglikelihood(model, *request) for request in requests])


@pytest.mark.parametrize(
    ("template", "answers"),
    [
        ("{text} It was {mask}", ("terrible", "great", "not worth seeing")),
        ("Review: {text}\nSentiment: {mask}", ("negative", "positive")),
        ("{text} All in all, it was {mask}.", ("terrible", "great")),
    ],
)
def test_scores_equal_the_harness(
    default_model: LocalModel, template: str, answers: tuple[str, ...]
) -> None:
    prompts = [Template(template).render({"text": text}) for text in SENTENCES]
    found = default_model.score(prompts, answers).logprobs
    for row, prompt in zip(found, prompts, strict=True):
        requests = [(prompt.left, answer + prompt.right) for answer in answers]
        np.testing.assert_allclose(row, reference(default_model, requests), atol=NATS)


def test_scores_after_demonstrations_equal_the_harness(default_model: LocalModel) -> None:
    template = Template("{text} It was {mask}")
    solved = [
        Demonstration({"text": SENTENCES[0]}, "great"),
        Demonstration({"text": SENTENCES[1]}, "terrible"),
    ]
    prompts = [template.render({"text": text}, solved) for text in SENTENCES[2:]]
    found = default_model.score(prompts, ("terrible", "great")).logprobs
    for row, prompt in zip(found, prompts, strict=True):
        requests = [(prompt.left, answer) for answer in ("terrible", "great")]
        np.testing.assert_allclose(row, reference(default_model, requests), atol=NATS)


def test_the_default_model_tells_sentiments_apart(default_model: LocalModel) -> None:
    classifier = PromptClassifier(
        "{text} It was {mask}",
        {"negative": "terrible", "positive": "great"},
        default_model,
        calibration="contextual",
    )
    probabilities = classifier.predict_proba(SENTENCES[:2])
    assert probabilities[0, 1] > probabilities[1, 1]
    (fills,) = default_model.fill([Template("The capital of France is {mask}.").render({})], top=1)
    assert fills[0].token == " Paris"


def test_the_masked_model_equals_a_plain_forward() -> None:
    model = load("bert-tiny", device="cpu", dtype="float32", cache=False)
    pair = (model.engine.network.model, model.tokenizer)
    answers = ("terrible", "great", "unwatchable")
    prompts = [Template("{text} It was {mask}.").render({"text": text}) for text in SENTENCES[:2]]
    found = model.score(prompts, answers)
    expected = [[masked_answer(pair, p.left, a, p.right) for a in answers] for p in prompts]
    np.testing.assert_allclose(found.logprobs, expected, atol=1e-4)
    assert found.answer_tokens.max() > 1
