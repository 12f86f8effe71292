"""Prompt classifiers: scikit-learn's habits over scores that are checked by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, InputError, NotFittedError, VerbalizerError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from tests.helpers.reference_forward import causal_answer, masked_answer
from tests.helpers.tiny_models import Pair

WORDS = {"negative": "terrible", "positive": "great"}
TEMPLATE = "{text} It was {mask}"

Fresh = Callable[..., LocalModel]


def softmax(row: Any) -> Any:
    return np.exp(row) / np.exp(row).sum()


@pytest.mark.parametrize("template", ["{text} It was {mask}", "{text} It was {mask}."])
def test_probabilities_by_hand(template: str, causal: LocalModel, tiny_causal: Pair) -> None:
    classifier = PromptClassifier(template, WORDS, causal)
    texts = ["a gorgeous film", "the soup was cold"]
    found = classifier.predict_proba(texts)
    right = template.partition("{mask}")[2]
    for row, text in zip(found, texts, strict=True):
        scores = [causal_answer(tiny_causal, f"{text} It was ", a, right) for a in WORDS.values()]
        np.testing.assert_allclose(row, softmax(scores), atol=1e-5)
    assert classifier.labels == ("negative", "positive")
    labels = [classifier.labels[i] for i in found.argmax(axis=1)]
    assert classifier.predict(texts).labels == labels


def test_length_normalisation_by_hand(masked: LocalModel, tiny_masked: Pair) -> None:
    verbalizer = Verbalizer({"a": "marvellous", "b": "not bad"}, length_normalise=True)
    found = PromptClassifier("It was {mask} {text}", verbalizer, masked).predict_proba(["film"])[0]
    scores = [
        masked_answer(tiny_masked, "It was ", answer, " film") / tokens
        for answer, tokens in (("marvellous", 7), ("not bad", 2))
    ]
    np.testing.assert_allclose(found, softmax(scores), atol=1e-5)


def test_contextual_calibration_by_hand(causal: LocalModel, tiny_causal: Pair) -> None:
    classifier = PromptClassifier(TEMPLATE, WORDS, causal, calibration="contextual")

    def probabilities(left: str) -> Any:
        return softmax([causal_answer(tiny_causal, left, a) for a in WORDS.values()])

    free = [probabilities(f"{text}It was ") for text in ("N/A ", "", "[MASK] ")]
    ratios = probabilities("a film It was ") / np.mean(free, axis=0)
    found = classifier.predict_proba(["a film"])[0]
    np.testing.assert_allclose(found, ratios / ratios.sum(), atol=1e-5)


def test_pmi_by_hand(causal: LocalModel, tiny_causal: Pair) -> None:
    classifier = PromptClassifier(TEMPLATE, WORDS, causal, calibration="pmi")
    scores = [
        causal_answer(tiny_causal, "a film It was ", answer)
        - causal_answer(tiny_causal, "It was ", answer)
        for answer in WORDS.values()
    ]
    np.testing.assert_allclose(classifier.predict_proba(["a film"])[0], softmax(scores), atol=1e-5)


def test_batch_calibration_levels_the_training_examples(gpt2: LocalModel, task: Task) -> None:
    plain = PromptClassifier(TEMPLATE, WORDS, gpt2).predict_proba(task.train)
    classifier = PromptClassifier(TEMPLATE, WORDS, gpt2, calibration="batch")
    ratios = plain / plain.mean(axis=0)
    expected = ratios / ratios.sum(axis=1, keepdims=True)
    found = classifier.fit(task.train).predict_proba(task.train)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_must_be_fitted(gpt2: LocalModel, task: Task) -> None:
    batch = PromptClassifier(TEMPLATE, WORDS, gpt2, calibration="batch")
    with pytest.raises(NotFittedError, match=r"batch calibration learns .* call fit"):
        batch.predict(["x"])
    with pytest.raises(InputError, match="batch calibration needs training examples"):
        batch.fit([])
    shown = PromptClassifier(TEMPLATE, WORDS, gpt2, demonstrations=3)
    with pytest.raises(NotFittedError, match="3 demonstrations are to be drawn; call fit"):
        shown.predict(["x"])
    with pytest.raises(InputError, match="3 demonstrations are asked for and there are 2"):
        shown.fit(task.train[:2])
    assert PromptClassifier(TEMPLATE, WORDS, gpt2, calibration="pmi").predict(["x"]).labels


def test_demonstrations_stand_in_the_prompt(gpt2: LocalModel, task: Task) -> None:
    choice = DemonstrationConfig(2, seed=1, order="grouped")
    template = Template("{text} It was {mask}", demonstration_separator="\n")
    fitted = PromptClassifier(template, WORDS, gpt2, demonstrations=choice).fit(task.train)
    lines = fitted.example_prompt("a film").split("\n")
    assert lines[0].endswith("It was terrible")
    assert lines[1].endswith("It was great")
    assert lines[2] == "a film It was {mask}"
    shown = {e.fields["text"] for e in task.train}
    assert {line.rpartition(" It was")[0] for line in lines[:2]} <= shown


def test_fit_predict_and_score_as_in_scikit_learn(gpt2: LocalModel, task: Task) -> None:
    classifier = PromptClassifier(TEMPLATE, WORDS, gpt2, calibration="contextual")
    texts = [e.fields["text"] for e in task.dev]
    labels = [str(e.label) for e in task.dev]
    assert classifier.fit(task.train) is classifier
    by_examples, by_texts = classifier.predict(task.dev), classifier.predict(texts)
    assert by_examples.labels == by_texts.labels
    assert by_examples.targets == labels
    assert by_texts.targets == [None] * len(texts)
    accuracy = float(np.mean([a == b for a, b in zip(by_texts.labels, labels, strict=True)]))
    assert classifier.score(task.dev) == classifier.score(texts, labels) == accuracy
    assert classifier.evaluate(task.dev).n == 12
    mapped = classifier.predict([{"text": text} for text in texts])
    assert mapped.labels == by_texts.labels
    assert len(classifier.predict([])) == 0
    assert classifier.predict_proba(texts).shape == (12, 2)


def test_predictions_are_a_full_record(gpt2: LocalModel, task: Task) -> None:
    classifier = PromptClassifier(TEMPLATE, {"a": "great", "b": "marvellous"}, gpt2)
    example = Example("id-3", {"text": "a film"}, "b")
    (row,) = classifier.predict([example])
    tokens = len(gpt2.tokenizer("a film It was")["input_ids"])
    assert (row.example_id, row.target, row.tokens_in) == ("id-3", "b", tokens)
    assert row.tokens_out == 1 + 6
    assert row.scores is not None
    assert sum(np.exp(list(row.scores.values()))) == pytest.approx(1)
    assert row.label == max(row.scores, key=row.scores.__getitem__)
    assert row.seconds > 0
    assert row.trace is None
    long = classifier.predict([Example("long", {"text": "the soup was cold " * 200}, "a")])[0]
    assert long.trace["shortened"] == ["text"]
    assert long.trace["cut_tokens"] > 0


def test_labels_must_fit(gpt2: LocalModel) -> None:
    classifier = PromptClassifier(TEMPLATE, WORDS, gpt2)
    with pytest.raises(VerbalizerError, match="no answer for the label 'neutral'"):
        classifier.fit(["a", "b"], ["positive", "neutral"])
    classifier.fit(["a"], ["positive"])  # a class without examples is no fault


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_classify(fresh: Fresh) -> None:
    silent = fresh("tiny_gpt2")
    silent.capabilities = frozenset({"generate"})
    with pytest.raises(CapabilityError, match="cannot score; use a local model, or a template"):
        PromptClassifier(TEMPLATE, WORDS, silent)
    with pytest.raises(InputError, match="unknown calibration"):
        PromptClassifier(TEMPLATE, WORDS, silent, calibration="x")  # type: ignore[arg-type]


def test_repeated_predictions_cost_nothing(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    PromptClassifier("{text} It was {mask}.", WORDS, model).predict(task.dev)
    computed = model.usage.computed_tokens
    other = {"negative": ["bad", "awful"], "positive": ["good", "wonderful"]}
    for calibration in ("none", "contextual"):
        PromptClassifier("{text} It was {mask}.", other, model, calibration=calibration).predict(
            task.dev
        )
        if calibration == "none":
            assert model.usage.computed_tokens == computed
    # contextual calibration adds its three content-free prompts, and nothing else
    assert model.usage.computed_tokens - computed < 30
