"""Choosing demonstrations: nearest, diverse, answered rightly; orders by what the model says."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.calibration import calibration_prompts
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig, sample_orders
from promptlab.predictors.demonstrations.nearest import cap_pool
from promptlab.predictors.demonstrations.sampling import evenly_spaced, group_by_label, round_robin
from promptlab.predictors.demonstrations.selection import (
    facility_location,
    global_entropy,
    local_entropy,
    mean_log_likelihood,
    scale_by_self,
)
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.selection_fixtures import CHOICES, TEMPLATE, WORDS, Fresh, classifier, shown


def test_permutations_are_all_or_a_seeded_draw() -> None:
    assert sample_orders(3, 24, 1) == list(itertools.permutations(range(3)))
    drawn = sample_orders(6, 24, 1)
    assert len(set(drawn)) == 24
    assert drawn[0] == tuple(range(6))
    assert all(sorted(order) == list(range(6)) for order in drawn)
    assert sample_orders(6, 24, 1) == drawn != sample_orders(6, 24, 2)
    assert sample_orders(1, 24, 1) == [(0,)]
    assert len(sample_orders(50, 3, 1)) == 3


def test_entropies_by_hand() -> None:
    logs = np.log(np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.25, 0.75]]))
    assert global_entropy(logs) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    rows = [(0.9, 0.1), (0.8, 0.2), (0.6, 0.4), (0.25, 0.75)]
    mean = sum(-sum(p * math.log(p) for p in row) for row in rows) / 4
    assert local_entropy(logs) == pytest.approx(mean)
    assert mean_log_likelihood(logs, [0, 0, 1, 1]) == pytest.approx(
        (math.log(0.9) + math.log(0.8) + math.log(0.4) + math.log(0.75)) / 4
    )
    sure = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert global_entropy(sure) == local_entropy(sure) == 0.0


@given(st.integers(0, 1000), st.integers(1, 4))
def test_coverage_is_greedy_and_near_the_best(seed: int, count: int) -> None:
    scores = np.random.default_rng(seed).uniform(-0.3, 1.0, (7, 7))
    chosen = facility_location(scores, count)
    assert len(set(chosen)) == count

    def covered(places: Any) -> float:
        return float(np.maximum(scores[:, list(places)].max(axis=1), 0.0).sum())

    for size in range(1, count + 1):  # every step adds the best
        rest = [p for p in range(7) if p not in chosen[: size - 1]]
        best = max(covered([*chosen[: size - 1], p]) for p in rest)
        assert covered(chosen[:size]) == pytest.approx(best)
    best = max(covered(places) for places in itertools.combinations(range(7), count))
    assert covered(chosen) >= (1 - 1 / math.e) * best - 1e-9


def test_coverage_by_turns_and_ties() -> None:
    same = np.ones((6, 6))
    assert facility_location(same, 4) == [0, 1, 2, 3]
    assert facility_location(same, 4, ["b", "b", "b", "a", "a", "b"]) == [3, 0, 4, 1]
    assert facility_location(same, 6, ["b", "b", "b", "a", "a", "b"]) == [3, 0, 4, 1, 2, 5]
    assert facility_location(same, 9) == [0, 1, 2, 3, 4, 5]
    scaled = scale_by_self(np.array([[2.0, 1.0], [0.0, 0.0]]))
    assert scaled.tolist() == [[1.0, 0.5], [0.0, 0.0]]


def test_spread_turns_and_the_capped_pool(task: Task) -> None:
    assert evenly_spaced(task.train, 99) == list(task.train)
    assert [e.id for e in evenly_spaced(task.train, 4)] == [task.train[n].id for n in (0, 1, 8, 9)]
    assert len(round_robin(group_by_label(task.train), 99)) == 16
    kept = cap_pool(task.train, 13, 6)
    assert [e for e in task.train if e in kept] == kept
    assert Counter(e.label for e in kept) == {"negative": 3, "positive": 3}
    assert cap_pool(task.train, 13, 6) == kept != cap_pool(task.train, 21, 6)


def test_diverse_takes_one_of_each_cluster() -> None:
    model = ScriptedModel()
    things = ["red apple pie", "blue whale song", "green stone wall"]
    train = [
        Example(f"{n}", {"text": f"{thing} {word}"}, "positive" if n % 2 else "negative")
        for n, (thing, word) in enumerate(itertools.product(things, ["one", "two", "three"]))
    ]
    choice = DemonstrationConfig(3, selection="diverse", balanced=False, order="given")
    drawn = shown(classifier(model, choice).fit(train), train[0])
    assert [text.split()[0] for text in drawn] == ["red", "blue", "green"]
    even = replace(choice, count=4, balanced=True)
    found = classifier(model, even).fit(train)
    assert Counter(d.answer for d in found.demonstrations or []) == {"great": 2, "terrible": 2}
    assert model.scored == []


def rating(right: set[str]) -> ScriptedModel:
    """A model that is right about these texts alone, surer of longer ones."""

    def rate(prompt: str, answer: str) -> float:
        text = prompt.rpartition("\n")[2].removesuffix(" It was {mask}.")
        good = any(word in text for word in ("great", "good", "wonderful", "charming", "witty"))
        truth = "great" if good else "terrible"
        return math.log(0.5 + (0.01 if (answer == truth) == (text in right) else -0.01) * len(text))

    return ScriptedModel(rate=rate)


def test_bootstrapped_are_right_ones_alone(task: Task) -> None:
    right = {e.fields["text"] for e in task.train[1:12]}
    sets = set()
    for seed in range(6):
        choice = DemonstrationConfig(4, seed, selection="bootstrapped")
        fitted = classifier(rating(right), choice).fit(task.train)
        drawn = shown(fitted, task.dev[0])
        assert len(set(drawn)) == 4
        assert set(drawn) <= right
        assert Counter(d.answer for d in fitted.demonstrations or []) == {"great": 2, "terrible": 2}
        sets.add(tuple(drawn))
    assert len(sets) > 2
    few = classifier(rating(set(list(right)[:3])), DemonstrationConfig(4, selection="confident"))
    with pytest.raises(InputError, match="answers 3 of 16 training examples rightly"):
        few.fit(task.train)


def test_confident_are_the_surest_right_ones(task: Task) -> None:
    right = {e.fields["text"] for e in task.train[1:12]}
    choice = DemonstrationConfig(3, selection="confident", balanced=False)
    fitted = classifier(rating(right), choice).fit(task.train)
    assert sorted(map(len, shown(fitted, task.dev[0]))) == sorted(map(len, right))[-3:]
    even = classifier(rating(right), replace(choice, count=2, balanced=True)).fit(task.train)
    assert {d.answer for d in even.demonstrations or []} == {"great", "terrible"}


def test_bootstrapping_a_writer(task: Task) -> None:
    def write(prompt: str, sample: int) -> str:
        return "great" if "great" in prompt or "good" in prompt else "no idea"

    model = ScriptedModel(write)
    choice = DemonstrationConfig(3, selection="bootstrapped")
    made = PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=choice).fit(task.train)
    assert {d.answer for d in made.demonstrations or []} == {"positive"}
    assert len(made.demonstrations or []) == 3
    sure = DemonstrationConfig(3, selection="confident")
    with pytest.raises(InputError, match="needs a predictor that scores labels"):
        PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=sure).fit(task.train)
    ordered = DemonstrationConfig(3, order="searched")
    with pytest.raises(InputError, match="PromptGenerator writes its answers"):
        PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=ordered).fit(task.train)


@pytest.mark.parametrize("calibration", ["none", "contextual", "batch"])
@pytest.mark.parametrize("order", ["global_entropy", "local_entropy", "searched"])
def test_the_best_order_is_that_of_brute_force(
    order: Any, calibration: Any, causal: LocalModel, task: Task
) -> None:
    choice = DemonstrationConfig(3, 21, order, probes=6)
    fitted = classifier(causal, choice, calibration=calibration).fit(task.train)
    found = shown(fitted, task.dev[0])
    chosen = [e for e in task.train if e.fields["text"] in found]
    probes = evenly_spaced([e for e in task.train if e not in chosen], 6)
    base = shown(classifier(causal, DemonstrationConfig(3, 21)).fit(task.train), task.dev[0])
    assert sorted(base) == sorted(found)
    values = {}
    for row in itertools.permutations(chosen):
        one = classifier(
            causal, DemonstrationConfig(3, selection="first"), calibration=calibration
        ).fit(row if calibration != "batch" else [*row, *probes])
        if calibration == "batch":
            one.demonstrations = one._render_demonstrations(row)
            one._prior = one._find_prior(probes)
        logs = np.log(one.predict_proba(probes))
        right = [one.labels.index(str(e.label)) for e in probes]
        values[tuple(e.fields["text"] for e in row)] = (
            global_entropy(logs)
            if order == "global_entropy"
            else local_entropy(logs)
            if order == "local_entropy"
            else mean_log_likelihood(logs, right)
        )
    assert values[tuple(found)] == pytest.approx(max(values.values()), abs=1e-5)


def test_orders_are_scored_in_one_call_and_never_on_other_examples(task: Task) -> None:
    model = ScriptedModel()
    calls: list[int] = []
    score = model.score
    model.score = lambda p, a: calls.append(len(p)) or score(p, a)  # type: ignore[method-assign, func-returns-value]
    choice = DemonstrationConfig(3, order="searched", probes=5)
    classifier(model, choice, calibration="contextual").fit(task.train, dev=task.dev)
    assert calls == [6 * (5 + 3), 3]
    texts = {e.fields["text"] for e in (*task.dev, *task.test)}
    assert not any(text in prompt for text in texts for prompt in model.scored)
    calls.clear()
    classifier(model, DemonstrationConfig(1, order="searched")).fit(task.train)
    assert calls == []
    all_of_them = DemonstrationConfig(16, order="local_entropy")
    with pytest.raises(InputError, match="all 16 do; ask for fewer"):
        classifier(model, all_of_them).fit(task.train)


def test_demonstrations_after_the_slot_are_refused_where_nothing_reads_them(task: Task) -> None:
    choice = DemonstrationConfig(2, placement="after")
    model = ScriptedModel(lambda prompt, sample: "great")
    with pytest.raises(InputError, match=r"behind the slot.*scripted writes its reply before"):
        PromptGenerator(TEMPLATE, CHOICES, model, demonstrations=choice)
    with pytest.raises(InputError, match="a chat prompt ends at its slot"):
        PromptClassifier(replace(TEMPLATE, chat=True), WORDS, model, demonstrations=choice)
    parts = Template(parts={"input": "Review: {text}", "cue": "Sentiment: {mask}"}, chat=True)
    made = PromptGenerator(parts, CHOICES, model, demonstrations=choice).fit(task.train)
    said = made.example_prompt(task.dev[0])
    assert said.index(task.dev[0].fields["text"]) < said.index("Sentiment: ")
    assert said.endswith("Sentiment: {mask}")


def test_after_is_saved_and_is_where_the_calibration_looks(causal: LocalModel, task: Task) -> None:
    choice = DemonstrationConfig(2, placement="after")
    fitted = classifier(causal, choice, calibration="contextual").fit(task.train)
    again = PromptClassifier.from_settings(json.loads(json.dumps(fitted.settings())), causal)
    assert str(again.render_prompt(task.dev[0])) == str(fitted.render_prompt(task.dev[0]))
    assert again.predict(task.dev).labels == fitted.predict(task.dev).labels
    free = calibration_prompts("contextual", TEMPLATE, fitted.demonstrations or [], "after")
    assert str(free[0]).startswith("N/A It was {mask}.\n")
    found = causal.score(free, fitted.verbalizer.answers).logprobs
    shares = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    assert fitted.settings()["prior"] == pytest.approx(np.log(shares.mean(axis=0)), abs=1e-5)


def test_shared_demonstrations_are_computed_once(fresh: Fresh, task: Task) -> None:
    def computed(selection: Any) -> int:
        model = fresh("tiny_causal")
        fitted = classifier(model, DemonstrationConfig(4, selection=selection)).fit(task.train)
        before = model.usage.computed_tokens
        fitted.predict(task.dev)
        return model.usage.computed_tokens - before

    assert computed("random") < 0.75 * computed("nearest")
