"""One candidate in training: batches, divergence, the best evaluation, and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch

from promptlab.candidates.base import fit_one
from promptlab.data.task import Task
from promptlab.errors import InputError, Pruned
from promptlab.evaluation.predictions import Predictions
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.trainer_state import TrainState
from tests.helpers.trainee_fixtures import OPTIONS, Fresh, learned_by
from tests.helpers.tuning_fixtures import (
    assert_same,
    candidate_of,
    kind_of,
    state_of,
    steps,
    trainee_of,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def trainee(task: Task, fresh: Fresh) -> Callable[..., TrainState]:
    model = fresh("tiny_gpt2")
    return lambda **options: trainee_of(task, model, **(OPTIONS | options))


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own(
    trainee: Callable[..., TrainState], task: Task
) -> None:
    one, other, same = trainee(), trainee(seed=[7]), trainee(learning_rate=[0.5])

    def order(found: TrainState, count: int) -> list[int]:
        numbers: list[int] = []
        for step in range(count):
            found.progress.step = step
            numbers += found.batch()
        return numbers

    first = order(one, 8)
    assert sorted(first[:16]) == sorted(first[16:]) == list(range(16))
    assert first[:16] != first[16:]
    assert order(same, 8) == first
    assert order(other, 8) != first


def test_a_batch_is_at_most_all_examples(trainee: Callable[..., TrainState]) -> None:
    assert sorted(trainee(batch_size=[50]).batch()) == list(range(16))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_given_up(
    loss: float, trainee: Callable[..., TrainState]
) -> None:
    with pytest.raises(Pruned, match=f"the loss is {loss} at step 0"):
        trainee().step(loss, [])


def test_a_gradient_that_is_no_number_is_given_up(trainee: Callable[..., TrainState]) -> None:
    one = trainee()
    before = state_of(one)
    vectors = one.learner.vectors()
    assert vectors is not None
    with pytest.raises(Pruned, match="the gradient is nan at step 0"):
        one.step(0.5, [(vectors, torch.full_like(vectors, math.nan))])
    assert_same(state_of(one), before, 0.0)


def test_a_loss_that_runs_away_is_given_up(trainee: Callable[..., TrainState]) -> None:
    one = trainee()

    def step(loss: float) -> None:
        vectors = one.learner.vectors()
        assert vectors is not None
        one.step(loss, [(vectors, torch.zeros_like(vectors))])

    step(0.5)
    step(4.0)  # one bad batch is no divergence
    with pytest.raises(Pruned, match=r"it diverged: the loss is .* was 0.5 at first; a smaller"):
        for _ in range(20):
            step(6.0)


def test_a_loss_that_begins_by_chance_at_nothing_has_not_diverged_at_chance(
    trainee: Callable[..., TrainState],
) -> None:
    one = trainee()
    for loss in [0.01] + [math.log(2)] * 30:
        vectors = one.learner.vectors()
        assert vectors is not None
        one.step(loss, [(vectors, torch.zeros_like(vectors))])


@pytest.mark.parametrize(("value", "loss"), [(math.nan, 1.0), (0.5, math.nan), (0.5, math.inf)])
def test_an_evaluation_that_is_no_number_is_given_up(
    value: float, loss: float, trainee: Callable[..., TrainState]
) -> None:
    with pytest.raises(Pruned, match="at step 0"):
        trainee().record_evaluation(value, loss)


def test_the_best_evaluation_counts_and_the_loss_decides_between_equals(
    trainee: Callable[..., TrainState],
) -> None:
    one = trainee(patience=2)
    kept = {}
    for step, (value, loss) in enumerate([(0.5, 1.0), (0.8, 0.9), (0.8, 0.7), (0.8, 0.8)]):
        one.progress.step = step
        with torch.no_grad():
            for parameter in one.learner.parameters():
                parameter.fill_(step)
        kept[step] = state_of(one)
        one.record_evaluation(value, loss)
    assert not one.is_finished
    assert one.progress.best_step == 2
    one.record_evaluation(0.7, 0.1)
    assert one.is_finished  # two without a better one
    one.restore_best()
    assert_same(state_of(one), kept[2], 0.0)


def test_the_start_is_an_evaluation_and_may_be_the_best(task: Task, fresh: Fresh) -> None:
    """Whatever training spoils, the vectors of the best evaluation are kept."""
    model = fresh("tiny_causal")
    kind = kind_of(task, **(OPTIONS | {"patience": 2}))

    class Worse(FitContext):
        level = 1.0

        def score_dev(self, rows: Predictions) -> float:
            self.level -= 0.1
            return self.level

    candidate = candidate_of(kind)
    start = kind._learner(candidate, model)[1].vectors()
    found = learned_by(fit_one(kind, candidate, model, Worse("accuracy")))
    assert torch.equal(found.vectors, start)
    assert found.facts["best_step"] == 0
    assert found.facts["steps"] == 6  # patience of two evaluations


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked", "tiny_seq2seq"])
def test_one_that_is_no_number_any_more_leaves_its_neighbours_alone(
    name: str, task: Task, fresh: Fresh
) -> None:
    model = fresh(name)
    alone = trainee_of(task, model, **OPTIONS)
    steps(model, [alone], 3)
    broken, whole = (trainee_of(task, model, number=n, **OPTIONS) for n in (0, 1))
    with torch.no_grad():
        for parameter in broken.learner.parameters():
            parameter.fill_(math.inf)
    pack = PackedTrainer(model)
    for _ in range(3):
        found = pack.step([broken, whole])
        assert isinstance(found[0], Pruned)
        assert str(found[0]) == "the loss is nan at step 0"
        assert isinstance(found[1], float)
    assert_same(state_of(whole), state_of(alone), 1e-4)


def test_a_candidate_that_goes_wrong_is_yielded_with_its_reason(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    kind = kind_of(task, **(OPTIONS | {"schedule": ["constant"]}))

    class Broken(FitContext):
        def score_dev(self, rows: Predictions) -> float:
            return math.nan

    ((number, found),) = kind.fit_many(
        [FitRequest(5, candidate_of(kind))], model, Broken("accuracy")
    )
    assert number == 5
    assert isinstance(found, Pruned)
    assert str(found) == "the dev score is nan at step 0"


def test_rates_by_schedule() -> None:
    training = TrainingConfig(learning_rate=0.1, warmup=0.2)
    rates = [training.rate(step, 10) for step in range(10)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.1])
    assert rates[9] == pytest.approx(0.1 / 8)
    assert all(a > b for a, b in pairwise(rates[2:]))
    constant = TrainingConfig(learning_rate=0.1, warmup=0.0, schedule="constant")
    assert [constant.rate(step, 5) for step in range(5)] == [0.1] * 5
    cosine = TrainingConfig(learning_rate=0.1, warmup=0.0, schedule="cosine")
    assert cosine.rate(5, 10) == pytest.approx(0.05)
    assert (training.most_steps(33), training.period(33)) == (60, 3)
    assert TrainingConfig(steps=7, evaluate_every=2).most_steps(33) == 7


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"learning_rate": 0.0}, "the learning rate is 0.0; it must be above 0"),
        ({"learning_rate": -1.0}, "above 0"),
        ({"learning_rate": math.nan}, "the learning rate is nan"),
        ({"learning_rate": math.inf}, "the learning rate is inf"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"evaluate_every": -1}, "evaluate_every is -1"),
        ({"dev_examples": 0}, "dev_examples is 0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1"),
        ({"weight_decay": math.nan}, "weight_decay is nan"),
        ({"warmup": 1.0}, "warmup 1.0"),
        ({"clip": 0.0}, "clip 0.0"),
        ({"clip": math.nan}, "clip nan"),
    ],
)
def test_numbers_that_cannot_work(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError, match=part):
        TrainingConfig(**changes)


def test_an_unknown_schedule(unchecked: None) -> None:
    with pytest.raises(InputError, match="unknown schedule 'sqrt'; use constant, linear, cosine"):
        TrainingConfig(schedule="sqrt")  # type: ignore[arg-type]
