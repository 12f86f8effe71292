"""Rescoring from kept slots gives what the classifier with other answers would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, VerbalizerError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.answer_score_cache import AnswerScoreCache
from promptlab.models.local import LocalModel
from promptlab.predictors import Rescorer

pytestmark = pytest.mark.slow

FIRST = {"negative": ["bad"], "positive": ["good"]}
ONE_TOKEN = {"negative": ["terrible", "bad"], "positive": ["great"]}
SEVERAL = {"negative": ["dull and slow"], "positive": ["good", "wonderful to see"]}
MODELS = ("tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_masked", "tiny_roberta", "tiny_seq2seq")
PREFIX, CLOZE = "{text} It was {mask}", "{text} It was {mask}."


def made(model: LocalModel, template: str, answers: Any, **options: Any) -> pl.PromptClassifier:
    return pl.PromptClassifier(template, answers, model, **options)


def same(found: Predictions, expected: Predictions) -> None:
    assert [row.example_id for row in found] == [row.example_id for row in expected]
    assert found.labels == expected.labels
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=1e-4)
        for name in ("target", "tokens_in", "tokens_out", "trace", "text", "unparsed"):
            assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("template", [PREFIX, CLOZE, "Review : {text}\nSentiment :\n{mask}"])
def test_other_answers_in_other_calibrations(
    name: str, template: str, fresh: Callable[..., LocalModel], task: Task
) -> None:
    model = fresh(name)
    if name == "tiny_masked" and "Sentiment" in template:
        template = "It was {mask} . {text}"
    rescorer = Rescorer(made(model, template, FIRST).fit(task.train), task.dev, train=task.train)
    peer = fresh(name)
    for answers in (FIRST, ONE_TOKEN, SEVERAL):
        for calibration in ("none", "contextual", "pmi", "batch"):
            expected = made(peer, template, answers, calibration=calibration).fit(task.train)
            same(rescorer.predict(answers, calibration), expected.predict(task.dev))


@pytest.mark.parametrize("aggregation", ["sum", "mean", "max"])
@pytest.mark.parametrize("name", ["causal", "masked"])
def test_weights_aggregations_and_lengths(
    name: str, aggregation: Any, request: pytest.FixtureRequest, task: Task
) -> None:
    model = request.getfixturevalue(name)
    words = pl.Verbalizer(
        {"negative": {"dull and slow": 0.5, "bad": 2.0}, "positive": {"good": 1.0, "great": 3.0}},
        aggregation=aggregation,
        length_normalise=aggregation != "sum",
    )
    rescorer = Rescorer(made(model, PREFIX, FIRST, calibration="contextual"), task.dev)
    expected = made(model, PREFIX, words, calibration="contextual").predict(task.dev)
    same(rescorer.predict(words), expected)


def computed(model: LocalModel) -> int:
    return model.usage.computed_tokens


def test_single_tokens_cost_no_forward_and_others_one(
    fresh: Callable[..., LocalModel], task: Task
) -> None:
    model = fresh("tiny_causal")
    rescorer = Rescorer(made(model, PREFIX, FIRST), task.dev, train=task.train)
    spent = computed(model)
    assert rescorer.needs_model(ONE_TOKEN) == rescorer.needs_model(ONE_TOKEN, "contextual") == ()
    assert rescorer.needs_model(SEVERAL) == ("dull and slow", "wonderful to see")
    assert rescorer.needs_model(ONE_TOKEN, "batch") == ("terrible", "bad", "great")
    rescorer.predict(ONE_TOKEN, "pmi")
    assert computed(model) == spent
    rescorer.predict(SEVERAL)
    assert computed(model) > spent
    spent = computed(model)
    assert rescorer.needs_model(SEVERAL) == ()
    rescorer.predict(SEVERAL)
    assert computed(model) == spent


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked"])
def test_words_after_the_slot(name: str, fresh: Callable[..., LocalModel], task: Task) -> None:
    model = fresh(name)
    rescorer = Rescorer(made(model, CLOZE, FIRST), task.dev)
    # A causal model reads what stands after the answer, a masked one has seen it.
    assert rescorer.needs_model(ONE_TOKEN) == (
        ("terrible", "great") if name == "tiny_causal" else ()
    )


@pytest.mark.parametrize("selection", ["random", "nearest"])
def test_demonstrations_in_other_words(
    selection: Any, fresh: Callable[..., LocalModel], task: Task
) -> None:
    from promptlab.predictors.demonstrations.choice import DemonstrationConfig

    choice = DemonstrationConfig(2, selection=selection)
    options: Any = {"demonstrations": choice, "calibration": "contextual"}
    model, peer = fresh("tiny_causal"), fresh("tiny_causal")
    classifier = made(model, PREFIX, FIRST, **options).fit(task.train)
    rescorer = Rescorer(classifier, task.dev, train=task.train)
    same(rescorer.base, classifier.predict(task.dev))
    added = {"negative": ["bad", "terrible"], "positive": ["good"]}  # the same first words
    for answers, unread in ((added, False), (ONE_TOKEN, True)):
        assert bool(rescorer.needs_model(answers)) == unread
        expected = made(peer, PREFIX, answers, **options).fit(task.train)
        same(rescorer.predict(answers), expected.predict(task.dev))


def test_a_head_that_is_no_product(fresh: Callable[..., LocalModel], task: Task) -> None:
    model = fresh("tiny_capped")
    assert not model.engine.network.head_is_linear
    rescorer = Rescorer(made(model, PREFIX, FIRST), task.dev)
    assert rescorer.needs_model({"negative": ["awful"], "positive": ["good"]}) == ("awful",)
    same(rescorer.predict(ONE_TOKEN), made(model, PREFIX, ONE_TOKEN).predict(task.dev))


def test_shortened_prompts(fresh: Callable[..., LocalModel]) -> None:
    model = fresh("tiny_gpt2")
    examples = [pl.Example(str(n), {"text": "a dull slow film " * n}, "negative") for n in (1, 90)]
    rescorer = Rescorer(made(model, PREFIX, FIRST), examples)
    longer = {"negative": ["bad"], "positive": ["good " * 5 + "film"]}
    for answers in (ONE_TOKEN, longer):
        expected = made(fresh("tiny_gpt2"), PREFIX, answers).predict(examples)
        same(rescorer.predict(answers), expected)
        assert expected[1].trace["shortened"] == ["text"]
        assert expected[1].trace["cut_tokens"] > 0


ENDINGS = ("a film", "a plot", "It", "the soup was ", "it was bad .", "", "x y z 1")


@pytest.mark.parametrize("template", ["{text}{mask}", "It {text} {mask}", "so {text}  {mask}"])
@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_roberta", "tiny_seq2seq"])
def test_answers_that_follow_a_field(
    name: str, template: str, fresh: Callable[..., LocalModel]
) -> None:
    prompts = [pl.Template(template).render({"text": text}) for text in ENDINGS]
    answers: list[Sequence[str]] = [("good", "bad"), ("s", "great"), (" great", "ly good")]
    model, peer = fresh(name), fresh(name)
    scores = AnswerScoreCache(model, prompts, answers[0])
    for words in answers:
        found, expected = scores.score(words), peer.score(prompts, words)
        np.testing.assert_allclose(found.logprobs, expected.logprobs, atol=1e-4)
        assert (found.answer_tokens == expected.answer_tokens).all()
        assert (found.prompt_tokens == expected.prompt_tokens).all()


def test_what_cannot_be_rescored(
    causal: LocalModel, masked: LocalModel, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescorer = Rescorer(made(masked, "It was {mask} . {text}", FIRST), task.dev)
    with pytest.raises(VerbalizerError, match="unknown word"):
        rescorer.predict({"negative": ["\u2603"], "positive": ["good"]})
    with pytest.raises(VerbalizerError, match="no answer for the label"):
        rescorer.predict({"negative": ["bad"], "other": ["good"]})
    with pytest.raises(pl.InputError, match="needs training examples"):
        rescorer.predict(None, "batch")
    with pytest.raises(pl.InputError, match="no examples"):
        Rescorer(made(causal, PREFIX, FIRST), [])
    remote = made(causal, PREFIX, FIRST)
    monkeypatch.setattr(causal, "capabilities", frozenset({"score"}))
    with pytest.raises(CapabilityError, match="cannot give features"):
        Rescorer(remote, task.dev)
