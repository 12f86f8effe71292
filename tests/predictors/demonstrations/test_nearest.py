"""Demonstrations that are nearest to each example."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import CapabilityError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.demonstrations.nearest import NearestDemonstrations
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.retrieval import make_index
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.selection_fixtures import CHOICES, TEMPLATE, Fresh, classifier, shown


@pytest.mark.parametrize("similarity", ["bm25", "embedding"])
def test_nearest_is_brute_force_without_itself(
    similarity: Any, causal: LocalModel, task: Task
) -> None:
    choice = DemonstrationConfig(3, selection="nearest", similarity=similarity)
    fitted = classifier(causal, choice).fit(task.train)
    index = make_index(similarity, [e.fields["text"] for e in task.train], causal)
    for example in (*task.dev[:3], *task.train[:3]):
        scores = index.scores([example.fields["text"]])[0]
        order = sorted(range(16), key=lambda place: -scores[place])
        wanted = [task.train[p].fields["text"] for p in order if task.train[p] != example][:3]
        assert shown(fitted, example) == wanted[::-1]
    first = classifier(causal, replace(choice, order="nearest_first")).fit(task.train)
    assert shown(first, task.dev[0]) == shown(fitted, task.dev[0])[::-1]


def test_no_example_demonstrates_itself(task: Task) -> None:
    choice = DemonstrationConfig(16, selection="nearest")
    fitted = classifier(ScriptedModel(), choice).fit(task.train)
    for example in task.train:
        assert sorted(shown(fitted, example)) == sorted(
            e.fields["text"] for e in task.train if e is not example
        )
    text = task.train[3].fields["text"]
    twin = Example("other", {"text": f"  {text.upper()} "})
    assert text not in shown(fitted, twin)
    # Ids of plain texts are places in a list: they say nothing about what is the same.
    stranger = Example(task.train[3].id, {"text": "unheard of"})
    assert text in shown(fitted, stranger)


def test_nearest_in_turns_and_in_other_orders(task: Task) -> None:
    model = ScriptedModel()
    choice = DemonstrationConfig(5, selection="nearest", balanced=True, order="nearest_first")
    example = Example("q", {"text": "great great wonderful"})
    fitted = classifier(model, choice).fit(task.train)
    answers = [d.answer for d in fitted.demonstrations_of(example)]
    assert Counter(answers) == {"great": 3, "terrible": 2}
    assert answers[0] == "great"
    grouped = classifier(model, replace(choice, order="grouped")).fit(task.train)
    found = [d.answer for d in grouped.demonstrations_of(example)]
    assert found == ["terrible"] * 2 + ["great"] * 3
    given_order = classifier(model, replace(choice, order="given")).fit(task.train)
    places = [[e.fields["text"] for e in task.train].index(t) for t in shown(given_order, example)]
    assert places == sorted(places)
    mixed = classifier(model, replace(choice, order="random")).fit(task.train)
    assert sorted(shown(mixed, example)) == sorted(shown(fitted, example))


@pytest.mark.parametrize("calibration", ["none", "contextual", "batch"])
def test_nearest_is_saved_and_does_not_depend_on_the_batch(
    calibration: Any, causal: LocalModel, task: Task, tmp_path: Path
) -> None:
    choice = DemonstrationConfig(2, selection="nearest", similarity="embedding")
    fitted = classifier(causal, choice, calibration=calibration).fit(task.train)
    again = pl.load(fitted.save(tmp_path / "p"), causal)
    whole = fitted.predict(task.dev)
    for rows in (again.predict(task.dev), [fitted.predict([e])[0] for e in task.dev]):
        for row, other in zip(whole, rows, strict=True):
            assert row.scores == pytest.approx(other.scores, abs=1e-5)
    assert isinstance(again, PromptClassifier)
    assert again.settings() == json.loads(json.dumps(fitted.settings()))
    assert [str(again.render_prompt(e)) for e in task.dev] == [
        str(fitted.render_prompt(e)) for e in task.dev
    ]


def test_the_prior_of_nearest_is_that_of_training_examples(causal: LocalModel, task: Task) -> None:
    choice = DemonstrationConfig(2, selection="nearest")
    fitted = classifier(causal, choice, calibration="contextual").fit(task.train)
    prompts = [
        TEMPLATE.render({"text": content}, fitted.demonstrations_of(example))
        for example in task.train
        for content in ("N/A", "", "[MASK]")
    ]
    found = causal.score(prompts, fitted.verbalizer.answers).logprobs
    shares = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    assert fitted.settings()["prior"] == pytest.approx(np.log(shares.mean(axis=0)), abs=1e-5)


def test_a_writer_takes_the_nearest(task: Task, tmp_path: Path) -> None:
    model = ScriptedModel(lambda prompt, sample: "great")
    choice = DemonstrationConfig(2, selection="nearest")
    made = PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=choice).fit(task.train)
    assert made.predict(task.dev[:3]).labels == ["positive"] * 3
    assert [prompt.count("\n") for prompt, _ in model.calls[-1]] == [2, 2, 2]
    assert model.decodings[-1].stop == ("\n",)
    again = pl.load(made.save(tmp_path / "p"), model)
    assert again.example_prompt(task.dev[0]) == made.example_prompt(task.dev[0])


def test_embeddings_need_a_model_that_has_them(task: Task) -> None:
    for selection in ("nearest", "diverse"):
        choice = DemonstrationConfig(2, selection=selection, similarity="embedding")
        with pytest.raises(CapabilityError, match="use similarity bm25"):
            classifier(ScriptedModel(), choice).fit(task.train)


def test_neighbours_of_two_fields() -> None:
    pool = [
        Example("a", {"premise": "red stone", "hypothesis": "a stone", "other": "blue"}, "yes"),
        Example("b", {"premise": "blue whale", "hypothesis": "a whale", "other": "red"}, "no"),
    ]
    choice = DemonstrationConfig(1, selection="nearest")
    near = NearestDemonstrations(choice, pool, ("premise", "hypothesis"), ScriptedModel())
    asked = Example("q", {"premise": "blue sea", "hypothesis": "a sea", "other": "red red"})
    assert [e.id for e in near.select(asked)] == ["b"]
    same = Example("q", {"premise": "Blue  whale", "hypothesis": "a whale", "other": "?"})
    assert [e.id for e in near.select(same)] == ["a"]


def test_what_is_explained_of_nearest_ones(task: Task) -> None:
    from promptlab.cli.explanation import _nearest
    from promptlab.tuning.explanation import explain

    choice = DemonstrationConfig(2, selection="nearest")
    fitted = classifier(ScriptedModel(), choice).fit(task.train)
    found = explain(fitted)["own_demonstrations"]
    assert found == {"count": 2, "similarity": "bm25", "order": "nearest_last", "pool": 16}
    assert _nearest(found).startswith("for every input the 2 nearest of 16 training examples")


def test_what_is_nearest_to_all_examples_is_found_at_once(
    fresh: Fresh, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptlab.strategies.self_consistency.strategy import SelfConsistency

    model = fresh("tiny_causal")
    choice = DemonstrationConfig(2, selection="nearest", similarity="embedding")
    decoding = pl.Decoding(max_tokens=2, temperature=1.0)
    inner = PromptGenerator(TEMPLATE, CHOICES, model, decoding=decoding, demonstrations=choice)
    asked: list[int] = []
    features = model.features
    monkeypatch.setattr(model, "features", lambda p: asked.append(len(p)) or features(p))
    for made in (inner, SelfConsistency(inner, samples=2)):
        asked.clear()
        made.fit(task.train).predict(task.dev)
        assert sorted(asked) == [12, 16]
