"""The kind *finetune*: four modes, an untouched backbone, killed and continued, refusals."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind
from promptlab.candidates.finetune import FinetuneKind, FinetuneSettings
from promptlab.candidates.soft_prompt import SoftPromptKind, SoftPromptSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, CapabilityError, DataError, Pruned, StudyError
from promptlab.events import Event, Events, Step
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.study.spec.space import SearchSpace
from promptlab.tuning.fit_context import FitContext, FitRequest

pytestmark = pytest.mark.slow

Fresh = Callable[..., LocalModel]
TEMPLATE = {"text": "{text} It was {mask}.", "answers": {"negative": "bad", "positive": "good"}}
QUICK: dict[str, Any] = {
    "kind": "finetune",
    "templates": [TEMPLATE],
    "learning_rate": [0.003],
    "length": [2],
    "steps": 6,
    "evaluate_every": 2,
    "batch_size": [4],
}


def kind(task: Task, **given: Any) -> FinetuneKind:
    return FinetuneKind(FinetuneSettings.model_validate(QUICK | given), task)


def candidate(made: Any) -> Candidate:
    return SearchSpace([made.settings], made.task).single()


def scores(predictor: Any, task: Task) -> Any:
    return torch.tensor(predictor.predict_proba(task.test))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal but for the last bits, which depend on where tensors lie in memory."""
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def repeated(task: Task) -> Task:
    """Dev nearly repeats what is learned, so that learning shows."""
    dev = tuple(
        Example(f"again {e.id}", {"text": e.fields["text"].replace("the", "a")}, e.label)
        for e in task.train
    )
    return dataclasses.replace(task, dev=dev)


def weights_of(model: LocalModel) -> dict[str, torch.Tensor]:
    found = model.engine.network.model.state_dict()
    return {name: tensor.clone() for name, tensor in found.items()}


def test_the_kind_is_known() -> None:
    assert find_kind("finetune") is FinetuneKind
    assert FinetuneKind.saves_fitted


@pytest.mark.parametrize("weights", ["full", "lora"])
@pytest.mark.parametrize("mode", ["model", "soft_then_model", "both"])
def test_every_mode_learns_and_leaves_the_backbone(
    fresh: Fresh, task: Task, mode: str, weights: str, tmp_path: Path
) -> None:
    model = fresh("tiny_masked")
    before = weights_of(model)
    made = kind(task, mode=[mode], weights=[weights], evaluate_every=3)
    made.check(model)
    predictor = made.fit(candidate(made), model)
    after = weights_of(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())
    assert isinstance(predictor, PromptClassifier)
    tuned = predictor.model
    assert isinstance(tuned, LocalModel)
    assert tuned.learned is not None
    assert (tuned.learned.vectors is not None) == (mode != "model")
    predictor.save(tmp_path)
    assert (tmp_path / "weights.safetensors").exists() == (tuned.learned.weights is not None)
    again = pl.load(tmp_path, model)
    close(scores(again, task), scores(predictor, task))


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_seq2seq"])
@pytest.mark.parametrize("mode", ["model", "both"])
def test_every_family_is_tuned(fresh: Fresh, task: Task, name: str, mode: str) -> None:
    model = fresh(name)
    made = kind(repeated(task), mode=[mode], steps=12, patience=9)
    predictor = made.fit(candidate(made), model)
    curve = predictor.model.learned.facts["curve"]  # type: ignore[attr-defined]
    assert min(loss for _, _, loss in curve[1:]) < curve[0][2]  # of what it was trained on


def test_soft_means_the_kind_soft_prompt(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    made = kind(task, mode=["soft"], soft_learning_rate=[0.05])
    settings = QUICK | {"kind": "soft_prompt", "learning_rate": [0.05]}
    other = SoftPromptKind(SoftPromptSettings.model_validate(settings), task)
    found = made.fit(candidate(made), model)
    expected = other.fit(candidate(other), model)
    close(scores(found, task), scores(expected, task))


@pytest.mark.parametrize("weights", ["full", "lora"])
@pytest.mark.parametrize("mode", ["model", "soft_then_model", "both"])
def test_killed_and_continued_equals_uninterrupted(
    fresh: Fresh, task: Task, mode: str, weights: str, tmp_path: Path
) -> None:
    model = fresh("tiny_masked")
    made = kind(task, mode=[mode], weights=[weights], patience=9)
    asked = FitRequest(0, candidate(made))
    (whole,) = made.fit_many([asked], model, FitContext())
    # cut short twice: in the first phase and in the last
    for moment in (3, 9 if mode == "soft_then_model" else 5):
        cancellation = Cancellation()

        def stop(event: Event, at: int = moment, asked_for: Any = cancellation) -> None:
            if isinstance(event, Step) and event.step >= at:
                asked_for.request()

        fitting = FitContext(events=Events(stop), cancellation=cancellation, folder=tmp_path)
        with pytest.raises(Cancelled):
            list(made.fit_many([asked], model, fitting))
    seen: list[int] = []

    def hear(event: Event) -> None:
        if isinstance(event, Step):
            seen.append(event.step)

    fitting = FitContext(events=Events(hear), folder=tmp_path)
    (continued,) = made.fit_many([asked], model, fitting)
    assert min(seen) > (8 if mode == "soft_then_model" else 4)
    for (_, one), (_, other) in [(whole, continued)]:
        curves = [p.model.learned.facts["curve"] for p in (one, other)]  # type: ignore[union-attr]
        torch.testing.assert_close(*map(torch.tensor, curves), atol=1e-5, rtol=1e-5)
        close(scores(one, task), scores(other, task))


def test_evaluations_are_counted_through_the_phases(fresh: Fresh, task: Task) -> None:
    made = kind(task, mode=["soft_then_model"], patience=9)
    reported: list[int] = []

    class Noting(FitContext):
        def should_prune(self, number: int, step: int, value: float) -> bool:
            reported.append(step)
            return False

    ((_, fitted),) = made.fit_many([FitRequest(3, candidate(made))], fresh("tiny_masked"), Noting())
    assert not isinstance(fitted, Exception)
    assert reported == list(range(1, 9))


def test_without_examples_it_is_the_untrained_prompt(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    nothing = dataclasses.replace(task, train=())
    made = kind(nothing)
    predictor = made.fit(candidate(made), model)
    plain = PromptClassifier(TEMPLATE["text"], TEMPLATE["answers"], model)  # type: ignore[arg-type]
    close(scores(predictor, task), scores(plain, task))
    both = kind(nothing, mode=["both"])
    start = both.fit(candidate(both), model)
    assert start.model.learned.vectors.shape[0] == 2  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="no training examples"):
        made.check(model)


def test_what_diverges_is_pruned(fresh: Fresh, task: Task) -> None:
    made = kind(task, learning_rate=[1e6], steps=30, warmup=0.0)
    with pytest.raises(Pruned, match=r"diverged|loss is|gradient is"):
        made.fit(candidate(made), fresh("tiny_masked"))


def test_learning_rates_that_go_with_the_weights(task: Task) -> None:
    def rates(**given: Any) -> Any:
        values = {"kind": "finetune", "templates": [TEMPLATE], **given}
        return FinetuneSettings.model_validate(values).learning_rate

    assert rates() == [2e-5]
    assert rates(weights=["lora"]) == [2e-4]
    assert rates(weights=["full", "lora"]) == [2e-5, 2e-4]
    assert rates(weights=["lora"], learning_rate=[1e-3]) == [1e-3]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"learning_rate": [0.0]}, "a learning rate must be above 0"),
        ({"soft_learning_rate": [-1.0]}, "a learning rate must be above 0"),
        ({"rank": [0]}, "greater than 0"),
        ({"weights": ["half"]}, "'full' or 'lora'"),
        ({"mode": ["everything"]}, "'soft'"),
    ],
)
def test_settings_that_are_refused(task: Task, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        kind(task, **given)


def test_what_cannot_be_trained_is_refused(fresh: Fresh, task: Task) -> None:
    from tests.conftest import wrapped
    from tests.helpers import tiny_models

    model = wrapped(tiny_models.bert(), "quantised")
    model.engine.network.model.is_quantized = True
    with pytest.raises(CapabilityError, match="quantised"):
        kind(task).check(model)
    with pytest.raises(StudyError, match="mixture"):
        kind(task, members=[2], mode=["both"])
    one_label = tuple(e for e in task.train if e.label == "positive")
    with pytest.raises(DataError, match="none with the label 'negative'"):
        kind(dataclasses.replace(task, train=one_label))


def test_only_what_applies_is_a_dimension(task: Task) -> None:
    made = kind(
        task,
        mode=["soft", "model", "both"],
        weights=["full", "lora"],
        rank=[2, 4],
        soft_learning_rate=[0.1, 0.01],
    )
    (found,) = [SearchSpace([made.settings], task).enumerate(100)]
    assert found is not None
    # soft: 2 rates; model: full, and LoRA of two ranks; both: each of these with 2 rates
    assert len(found) == 2 + 3 + 3 * 2
