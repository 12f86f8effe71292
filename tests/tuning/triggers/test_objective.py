"""Triggers on real (tiny) models against the plain slow way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.data.task import Task
from promptlab.errors import TemplateError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.triggers.losses import Tokens, TriggerScorer
from promptlab.tuning.triggers.objective import TriggerObjective

pytestmark = pytest.mark.slow

Fresh = Callable[..., LocalModel]
CAUSAL = ("tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped")
MASKED = ("tiny_masked", "tiny_roberta")
SEQ2SEQ = ("tiny_seq2seq",)
MODELS = (*CAUSAL, *MASKED, *SEQ2SEQ)
TEMPLATES = (
    "{text} {trigger:3} {mask}",
    "{trigger:3} {text} It was {mask}.",
    "{trigger:2} {text} All in all it was {mask} {trigger:1}.",
    "Of all that people say of a film: {text}\nIt was{trigger:3} {mask} one.",
)
SINGLE = {"negative": "bad", "positive": "good"}
SEVERAL = {"negative": ["bad", "so dull"], "positive": {"good": 2.0, "rather charming": 1.0}}
TRIGGERS: tuple[Tokens, ...] = ((40, 50, 60), (41, 50, 60), (100, 90, 80), (40, 51, 61))


def oracle(
    model: LocalModel, template: str, task: Task, answers: Any, **more: Any
) -> TriggerObjective:
    return TriggerObjective(model, Template(template), Verbalizer(answers), task.train[:5], **more)


def test_it_is_an_oracle(fresh: Fresh, task: Task) -> None:
    assert isinstance(oracle(fresh("tiny_masked"), TEMPLATES[0], task, SINGLE), TriggerScorer)


def slow(made: TriggerObjective, tokens: Tokens, task: Task) -> list[float]:
    """Losses as the fitted classifier has them, one prompt at a time."""
    learned = LearnedParts(triggers=made.split(tokens))
    classifier = PromptClassifier(
        made.template, made.verbalizer, made.model.with_learned_parts(learned, keep=False)
    )
    found = []
    for example in task.train[:5]:
        scores = classifier.predict([example])[0].scores
        assert scores is not None
        found.append(-scores[str(example.label)])
    return found


@pytest.mark.parametrize(("name", "template"), list(product(MODELS, TEMPLATES)))
def test_losses_are_those_of_the_fitted_classifier(
    fresh: Fresh, task: Task, name: str, template: str
) -> None:
    for answers in (SINGLE, SEVERAL):
        made = oracle(fresh(name), template, task, answers)
        expected = np.array([slow(made, tokens, task) for tokens in TRIGGERS])
        np.testing.assert_allclose(made.losses(TRIGGERS, range(5)), expected, atol=1e-5)
        assert np.ptp(expected, axis=0).min() > 1e-4  # triggers matter


@pytest.mark.parametrize("name", MODELS)
def test_the_predictor_is_what_was_scored(fresh: Fresh, task: Task, name: str) -> None:
    made = oracle(fresh(name), TEMPLATES[0], task, SINGLE, dev=task.dev)
    predictor = made.predictor(TRIGGERS[0], {"step": 3})
    accuracy = np.mean([row.label == row.target for row in predictor.predict(task.dev)])
    assert made.dev_score(TRIGGERS[0]) == pytest.approx(accuracy)
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert learned.facts == {"words": made.words(TRIGGERS[0]), "step": 3}


def reference(made: TriggerObjective, tokens: Tokens, numbers: list[int]) -> np.ndarray:
    """The mean loss's first-order changes by a plain forward over ``inputs_embeds``.

    For single-token answers to a prefix prompt of a masked or causal model.
    """
    model = made.network.model
    embed = model.get_input_embeddings()
    vectors = embed(torch.tensor(tokens)).detach().requires_grad_(True)
    total = torch.zeros(())
    for number in numbers:
        exercise = made.train.exercises[number]
        question = exercise.asked[0]
        ids = torch.tensor(question.context.ids)
        learned = ids >= made.vocabulary
        embedded = embed(ids.clamp(max=made.vocabulary - 1)).detach()
        places = (learned.nonzero()[:, 0],)
        embedded = embedded.index_put(places, vectors[ids[learned] - made.vocabulary])
        extra = {}
        if model.config.model_type == "gemma2":
            extra = {"position_ids": torch.arange(len(ids))[None]}
        logits = model(inputs_embeds=embedded[None], **extra).logits[0, question.context.position]
        chosen = logits[[c[0] for c in question.continuations]]
        total = total - chosen.log_softmax(0)[exercise.label] / len(numbers)
    (grad,) = torch.autograd.grad(total, vectors)
    rows = embed(torch.arange(made.vocabulary)).detach()
    changes = grad @ rows.T - (grad * vectors.detach()).sum(1, keepdim=True)
    return np.asarray(changes.numpy())


@pytest.mark.parametrize(
    ("name", "template"),
    list(
        product(
            (*CAUSAL, *MASKED),
            (
                TEMPLATES[0],
                "{trigger:3} {text} It was {mask}",
                "Of all that people say of a film: {text} {trigger:3} {mask}",
            ),
        )
    ),
)
def test_the_gradient_is_plain_autograds(
    fresh: Fresh, task: Task, name: str, template: str
) -> None:
    made = oracle(fresh(name), template, task, SINGLE)
    found = made.gradient(TRIGGERS[0], [0, 1, 2, 4])
    assert found.shape == (3, made.vocabulary)
    expected = reference(made, TRIGGERS[0], [0, 1, 2, 4])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(found[range(3), TRIGGERS[0]]).max() < 1e-5


@pytest.mark.parametrize(("name", "template"), list(product(MODELS, TEMPLATES[2:])))
def test_the_gradient_foretells_small_changes(
    fresh: Fresh, task: Task, name: str, template: str
) -> None:
    made = oracle(fresh(name), template, task, SEVERAL)
    tokens, entry, small = TRIGGERS[0], 77, 1e-2
    foretold = made.gradient(tokens, range(5))[:, entry]
    virtual = made.network.virtual_tokens
    with torch.no_grad():
        vectors = virtual.embed(torch.tensor(tokens)).clone()
        towards = virtual.embed(torch.tensor([entry]))[0]
    for position in range(3):
        values = []
        for sign in (-1, 1):
            moved = vectors.clone()
            moved[position] += sign * small * (towards - vectors[position])
            items = [made.train.item(number, (0,)) for number in range(5)]
            with torch.no_grad(), made.network.use_virtual_tokens(moved):
                scored = made.scorer.score(items, normalised=True)
            values.append(float(made.train.losses(range(5), scored, None).mean()))
        slope = (values[1] - values[0]) / (2 * small)
        assert slope == pytest.approx(foretold[position], abs=2e-2 * max(1.0, abs(slope)))


def test_what_stands_before_the_trigger_is_computed_once(fresh: Fresh, task: Task) -> None:
    made = oracle(fresh("tiny_causal"), TEMPLATES[3], task, SINGLE)
    made.losses(TRIGGERS[:1], range(5))
    fixed = sum(len(made.train.frozen_prefix(number)) for number in range(5))
    assert made.states.computed_tokens <= fixed
    assert made.states.computed_tokens > 0
    before = made.computed_tokens
    made.losses(TRIGGERS, range(5))
    after = made.computed_tokens - before
    assert after <= len(TRIGGERS) * 5 * 10  # the trigger and what follows it


def test_a_target_label_stands_for_all_labels(fresh: Fresh, task: Task) -> None:
    made = oracle(fresh("tiny_masked"), TEMPLATES[0], task, SINGLE, target="positive")
    rows = made.predictor(TRIGGERS[0]).predict(task.train[:5])
    expected = [-row.scores["positive"] for row in rows if row.scores]
    np.testing.assert_allclose(made.losses(TRIGGERS[:1], range(5))[0], expected, atol=1e-5)
    share = np.mean([row.label == "positive" for row in rows])
    assert made.dev_score(TRIGGERS[0]) == pytest.approx(share)


@pytest.mark.parametrize(
    ("template", "message"),
    [("{text} {mask}", "no trigger to search"), ("{soft:2} {text} {trigger:1} {mask}", "soft:N")],
)
def test_templates_without_triggers_or_with_vectors_are_refused(
    fresh: Fresh, task: Task, template: str, message: str
) -> None:
    with pytest.raises(TemplateError, match=message):
        oracle(fresh("tiny_masked"), template, task, SINGLE)
