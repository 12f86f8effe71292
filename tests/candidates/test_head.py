"""The kind *head* and its predictor: families, freezing, saving, continuing, refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind
from promptlab.candidates.head import HeadKind, HeadSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, DataError, InputError, NotFittedError, Pruned, TemplateError
from promptlab.events import Event, Events, Step
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.head import HeadClassifier, template_without_slot
from promptlab.study.spec.space import SearchSpace
from promptlab.tuning.fit_context import FitContext, FitRequest

pytestmark = pytest.mark.slow

Fresh = Callable[..., LocalModel]
QUICK: dict[str, Any] = {
    "kind": "head",
    "learning_rate": [0.003],
    "head_learning_rate": [0.01],
    "steps": 12,
    "evaluate_every": 3,
    "patience": 9,
    "batch_size": [4],
}


def kind(task: Task, **given: Any) -> HeadKind:
    return HeadKind(HeadSettings.model_validate(QUICK | given), task)


def candidate(made: HeadKind) -> Any:
    return SearchSpace([made.settings], made.task).single()


def repeated(task: Task) -> Task:
    """Dev nearly repeats what is learned, so that learning shows."""
    dev = tuple(
        Example(f"again {e.id}", {"text": e.fields["text"].replace("the", "a")}, e.label)
        for e in task.train
    )
    return dataclasses.replace(task, dev=dev)


def test_the_kind_is_known() -> None:
    assert find_kind("head") is HeadKind


@pytest.mark.parametrize("weights", ["full", "lora", "frozen"])
@pytest.mark.parametrize("name", ["tiny_masked", "tiny_causal", "tiny_gpt2", "tiny_seq2seq"])
def test_a_head_learns_is_saved_and_loaded(
    fresh: Fresh, task: Task, name: str, weights: str, tmp_path: Path
) -> None:
    model = fresh(name)
    before = {k: t.clone() for k, t in model.engine.network.model.state_dict().items()}
    made = kind(repeated(task), weights=[weights])
    made.check(model)
    predictor = made.fit(candidate(made), model)
    after = model.engine.network.model.state_dict()
    assert all(torch.equal(before[k], tensor) for k, tensor in after.items())
    assert isinstance(predictor, HeadClassifier)
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert (learned.weights is None) == (weights == "frozen")
    curve = learned.facts["curve"]
    assert min(loss for _, _, loss in curve[1:]) < curve[0][2]  # of what it was trained on
    predictor.save(tmp_path)
    again = pl.load(tmp_path, model)
    np.testing.assert_allclose(
        again.predict_proba(task.test), predictor.predict_proba(task.test), atol=1e-6
    )
    found = predictor.predict(task.test)
    assert {row.label for row in found} <= set(task.labels)
    assert all(row.tokens_in > 2 for row in found)


@pytest.mark.parametrize("weights", ["full", "lora", "frozen"])
def test_killed_and_continued_equals_uninterrupted(
    fresh: Fresh, task: Task, weights: str, tmp_path: Path
) -> None:
    model = fresh("tiny_masked")
    made = kind(task, weights=[weights])
    asked = FitRequest(0, candidate(made))
    ((_, whole),) = made.fit_many([asked], model, FitContext())
    cancellation = Cancellation()

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == 7:
            cancellation.request()

    fitting = FitContext(events=Events(stop), cancellation=cancellation, folder=tmp_path)
    with pytest.raises(Cancelled):
        list(made.fit_many([asked], model, fitting))
    seen: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Step):
            seen.append(event.step)

    ((_, continued),) = made.fit_many(
        [asked], model, FitContext(events=Events(hear), folder=tmp_path)
    )
    assert seen[0] == 7
    assert not isinstance(whole, Exception)
    assert not isinstance(continued, Exception)
    np.testing.assert_allclose(
        continued.predict_proba(task.test), whole.predict_proba(task.test), atol=1e-5
    )


def test_frozen_states_are_read_once(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    frozen = kind(task, weights=["frozen"]).fit(candidate(kind(task, weights=["frozen"])), model)
    head = frozen.model.learned.head  # type: ignore[attr-defined]
    bias = frozen.model.learned.head_bias  # type: ignore[attr-defined]
    texts = frozen.texts  # type: ignore[attr-defined]
    states = texts.embedder().embed(texts.token_ids(task.test))
    expected = (states @ head.T + bias).softmax(-1)
    np.testing.assert_allclose(frozen.predict_proba(task.test), expected, atol=1e-6)


def test_without_examples_the_head_is_as_it_was_drawn(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    nothing = dataclasses.replace(task, train=())
    heads = []
    for seed in (13, 13, 21):
        made = kind(nothing, seed=[seed])
        fitted = made.fit(candidate(made), model)
        assert fitted.model.learned.weights is None  # type: ignore[attr-defined]
        heads.append(fitted.model.learned.head)  # type: ignore[attr-defined]
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    with pytest.raises(DataError, match="no training examples"):
        kind(nothing).check(model)


def test_the_input_is_text_with_fields(task: Task, fresh: Fresh) -> None:
    pairs = dataclasses.replace(
        task,
        train=tuple(Example(e.id, {"a": e.fields["text"], "b": "x"}, e.label) for e in task.train),
        dev=tuple(Example(e.id, {"a": e.fields["text"], "b": "x"}, e.label) for e in task.dev),
        test=(),
        fields=("a", "b"),
    )
    assert candidate(kind(pairs)).settings["input"] == "{a} {b}"
    assert candidate(kind(pairs, input=["{b}: {a}"])).settings["input"] == "{b}: {a}"
    with pytest.raises(DataError, match="reads the field 'c', which the data lacks"):
        kind(pairs, input=["{a} {c}"])
    model = fresh("tiny_masked")
    head = torch.zeros(2, 32)
    view = model.with_learned_parts(LearnedParts(head=head, head_bias=torch.zeros(2)))
    predictor = HeadClassifier("{{ b }} - {{ a }}", task.labels, view)
    assert predictor.example_prompt({"a": "one", "b": "two"}) == "two - one"
    assert set(predictor.fields) == {"a", "b"}


@pytest.mark.parametrize("text", ["{text} {mask}", "{soft:3} {text}", "no field", "{{ mask }}"])
def test_inputs_that_are_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        template_without_slot(text)


def test_a_head_that_does_not_fit(fresh: Fresh, task: Task, tmp_path: Path) -> None:
    model = fresh("tiny_masked")
    with pytest.raises(NotFittedError, match="not been trained"):
        HeadClassifier("{text}", task.labels, model).predict(["a film"])
    narrow = model.with_learned_parts(
        LearnedParts(head=torch.zeros(3, 24), head_bias=torch.zeros(3))
    )
    with pytest.raises(InputError, match=r"3 labels.*width 24.*2 labels.*width 32"):
        HeadClassifier("{text}", task.labels, narrow)
    made = kind(task, weights=["frozen"])
    made.fit(candidate(made), model).save(tmp_path)
    with pytest.raises(InputError, match=r"vocabulary of 244 tokens.*vocabulary of 482 tokens"):
        pl.load(tmp_path, fresh("tiny_causal"))


def test_long_texts_are_cut_to_the_window(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    view = model.with_learned_parts(LearnedParts(head=torch.zeros(2, 32), head_bias=torch.zeros(2)))
    predictor = HeadClassifier("{text}", task.labels, view)
    (row,) = predictor.predict(["a dull film . " * 200])
    assert row.tokens_in <= model.max_tokens


def test_what_diverges_is_pruned(fresh: Fresh, task: Task) -> None:
    made = kind(task, learning_rate=[1e6], head_learning_rate=[1e6], steps=30, warmup=0.0)
    with pytest.raises(Pruned, match=r"diverged|loss is|gradient is"):
        made.fit(candidate(made), fresh("tiny_masked"))


@pytest.mark.parametrize("key", ["learning_rate", "head_learning_rate"])
def test_learning_rates_are_above_zero(task: Task, key: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        kind(task, **{key: [0.0]})
