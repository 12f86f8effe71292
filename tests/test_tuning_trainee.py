"""One candidate in training: batches, divergence, the best evaluation, and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tuning_material import (
    assert_same,
    candidate_of,
    kind_of,
    state_of,
    steps,
    trainee_of,
)

from promptlab.cancellation import Cancellation, Cancelled
from promptlab.errors import InputError, Pruned
from promptlab.events import Events, Step
from promptlab.fitting import Asked, Fitting
from promptlab.kinds.kind import fit_one
from promptlab.models.local import LocalModel
from promptlab.predictions import Predictions
from promptlab.task import Task
from promptlab.tuning.checkpoint import load_checkpoint, save_checkpoint
from promptlab.tuning.pack import Pack
from promptlab.tuning.trainee import Trainee
from promptlab.tuning.training import Training

Fresh = Callable[..., LocalModel]
OPTIONS: dict[str, Any] = {
    "steps": 12,
    "evaluate_every": 3,
    "batch_size": [4],
    "learning_rate": [0.05],
    "patience": 99,
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"name": "p_tuning", "hidden": 8},
    {"members": [2], "weight_decay": [0.1]},
    {"name": "prefix", "text": "{soft:2} {text} It was {mask}", "length": [3]},
]


@pytest.fixture
def trainee(task: Task, fresh: Fresh) -> Callable[..., Trainee]:
    model = fresh("tiny_gpt2")
    return lambda **options: trainee_of(task, model, **(OPTIONS | options))


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own(
    trainee: Callable[..., Trainee], task: Task
) -> None:
    one, other, same = trainee(), trainee(seed=[7]), trainee(learning_rate=[0.5])

    def order(found: Trainee, count: int) -> list[int]:
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


def test_a_batch_is_at_most_all_examples(trainee: Callable[..., Trainee]) -> None:
    assert sorted(trainee(batch_size=[50]).batch()) == list(range(16))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_given_up(loss: float, trainee: Callable[..., Trainee]) -> None:
    with pytest.raises(Pruned, match=f"the loss is {loss} at step 0"):
        trainee().step(loss, [])


def test_a_gradient_that_is_no_number_is_given_up(trainee: Callable[..., Trainee]) -> None:
    one = trainee()
    before = state_of(one)
    vectors = one.learner.vectors()
    assert vectors is not None
    with pytest.raises(Pruned, match="the gradient is nan at step 0"):
        one.step(0.5, [(vectors, torch.full_like(vectors, math.nan))])
    assert_same(state_of(one), before, 0.0)


def test_a_loss_that_runs_away_is_given_up(trainee: Callable[..., Trainee]) -> None:
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
    trainee: Callable[..., Trainee],
) -> None:
    one = trainee()
    for loss in [0.01] + [math.log(2)] * 30:
        vectors = one.learner.vectors()
        assert vectors is not None
        one.step(loss, [(vectors, torch.zeros_like(vectors))])


@pytest.mark.parametrize(("value", "loss"), [(math.nan, 1.0), (0.5, math.nan), (0.5, math.inf)])
def test_an_evaluation_that_is_no_number_is_given_up(
    value: float, loss: float, trainee: Callable[..., Trainee]
) -> None:
    with pytest.raises(Pruned, match="at step 0"):
        trainee().evaluated(value, loss)


def test_the_best_evaluation_counts_and_the_loss_decides_between_equals(
    trainee: Callable[..., Trainee],
) -> None:
    one = trainee(patience=2)
    kept = {}
    for step, (value, loss) in enumerate([(0.5, 1.0), (0.8, 0.9), (0.8, 0.7), (0.8, 0.8)]):
        one.progress.step = step
        with torch.no_grad():
            for parameter in one.learner.parameters():
                parameter.fill_(step)
        kept[step] = state_of(one)
        one.evaluated(value, loss)
    assert not one.finished
    assert one.progress.best_step == 2
    one.evaluated(0.7, 0.1)
    assert one.finished  # two without a better one
    one.take_best()
    assert_same(state_of(one), kept[2], 0.0)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_what_goes_on_from_a_checkpoint_ends_as_if_it_had_not_stopped(
    options: dict[str, Any], task: Task, fresh: Fresh, tmp_path: Path
) -> None:
    """To the last bit, an uneven number of steps after the last checkpoint included."""
    model = fresh("tiny_causal")
    whole = trainee_of(task, model, **(OPTIONS | options))
    steps(model, [whole], 12)
    first = trainee_of(task, model, folder=tmp_path, **(OPTIONS | options))
    steps(model, [first], 6)
    first.evaluated(0.5, 0.6)
    steps(model, [first], 1)  # lost
    second = trainee_of(task, model, folder=tmp_path, **(OPTIONS | options))
    assert (second.progress.step, second.progress.best) == (6, (0.5, -0.6))
    steps(model, [second], 6)
    assert_same(state_of(second), state_of(whole), 0.0)


class Killed(BaseException):
    """The process ends here."""


class Dying(Fitting):
    """Ends the process in the ``at``-th judgement."""

    def __init__(self, folder: Path | None, at: int | None = None, **options: Any) -> None:
        super().__init__("accuracy", folder=folder, **options)
        self.at = at
        self.count = 0

    def judge(self, rows: Predictions) -> float:
        self.count += 1
        if self.count == self.at:
            raise Killed
        return super().judge(rows)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_killed_inside_an_evaluation(
    options: dict[str, Any], task: Task, fresh: Fresh, tmp_path: Path
) -> None:
    model = fresh("tiny_masked")
    kind = kind_of(task, **(OPTIONS | options))
    candidate = candidate_of(kind)
    steps_told: list[int] = []

    def listen(event: Any) -> None:
        assert isinstance(event, Step)
        steps_told.append(event.step)

    whole = fit_one(kind, candidate, model, Fitting("accuracy"))
    for at in (1, 3):
        with pytest.raises(Killed):
            fit_one(kind, candidate, model, Dying(tmp_path, at))
    counting = Dying(tmp_path, events=Events(listen))
    found = fit_one(kind, candidate, model, counting)
    assert counting.count == 3  # of the five evaluations two were kept
    assert steps_told == list(range(4, 13))
    left, right = (_learned(one) for one in (whole, found))
    for name in ("vectors", "prefix"):
        ours, theirs = getattr(left, name), getattr(right, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)
    assert left.facts["curve"] == right.facts["curve"]
    assert [point[0] for point in left.facts["curve"]] == [0, 3, 6, 9, 12]


def _learned(predictor: Any) -> Any:
    return predictor.model.learned


def test_the_start_is_an_evaluation_and_may_be_the_best(task: Task, fresh: Fresh) -> None:
    """Whatever training spoils, the vectors of the best evaluation are kept."""
    model = fresh("tiny_causal")
    kind = kind_of(task, **(OPTIONS | {"patience": 2}))

    class Worse(Fitting):
        level = 1.0

        def judge(self, rows: Predictions) -> float:
            self.level -= 0.1
            return self.level

    candidate = candidate_of(kind)
    start = kind._learner(candidate, model)[1].vectors()
    found = _learned(fit_one(kind, candidate, model, Worse("accuracy")))
    assert torch.equal(found.vectors, start)
    assert found.facts["best_step"] == 0
    assert found.facts["steps"] == 6  # patience of two evaluations


def test_cancelled_training_goes_on_later(task: Task, fresh: Fresh, tmp_path: Path) -> None:
    model = fresh("tiny_causal")
    kind = kind_of(task, **OPTIONS)
    candidate = candidate_of(kind)
    whole = _learned(fit_one(kind, candidate, model, Fitting("accuracy")))
    cancellation = Cancellation()

    def listen(event: Any) -> None:
        if event.step == 7:
            cancellation.request()

    fitting = Fitting("accuracy", folder=tmp_path, cancellation=cancellation, events=Events(listen))
    with pytest.raises(Cancelled):
        fit_one(kind, candidate, model, fitting)
    found = _learned(fit_one(kind, candidate, model, Fitting("accuracy", folder=tmp_path)))
    assert torch.equal(found.vectors, whole.vectors)


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
    pack = Pack(model)
    for _ in range(3):
        found = pack.step([broken, whole])
        assert isinstance(found[0], Pruned)
        assert str(found[0]) == "the loss is nan at step 0"
        assert isinstance(found[1], float)
    assert_same(state_of(whole), state_of(alone), 1e-4)


def test_a_candidate_that_goes_wrong_is_yielded_with_its_reason(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    kind = kind_of(task, **(OPTIONS | {"schedule": ["constant"]}))

    class Broken(Fitting):
        def judge(self, rows: Predictions) -> float:
            return math.nan

    ((number, found),) = kind.fit_many([Asked(5, candidate_of(kind))], model, Broken("accuracy"))
    assert number == 5
    assert isinstance(found, Pruned)
    assert str(found) == "the dev score is nan at step 0"


def damaged(path: Path) -> dict[str, Callable[[], object]]:
    content = path.read_bytes()
    tensors, facts = load_checkpoint(path) or ({}, {})
    fewer = {name: t for name, t in tensors.items() if not name.startswith("best.")}
    wider = {name: torch.zeros(2, 3) for name in tensors}
    return {
        "empty": lambda: path.write_bytes(b""),
        "cut in the header": lambda: path.write_bytes(content[:50]),
        "cut at its end": lambda: path.write_bytes(content[:-1]),
        "no safetensors": lambda: path.write_bytes(b"\x00" * len(content)),
        "another format": lambda: save_file(tensors, path, metadata={"format": "0"}),
        "no facts": lambda: save_file(tensors, path, metadata={"format": "1"}),
        "odd facts": lambda: save_checkpoint(path, tensors, {"step": 3}),
        "unknown facts": lambda: save_checkpoint(path, tensors, facts | {"more": 1}),
        "fewer tensors": lambda: save_checkpoint(path, fewer, facts),
        "other shapes": lambda: save_checkpoint(path, wider, facts),
    }


def test_a_damaged_checkpoint_is_ignored(task: Task, fresh: Fresh, tmp_path: Path) -> None:
    model = fresh("tiny_causal")
    whole = trainee_of(task, model, **OPTIONS)
    first = trainee_of(task, model, folder=tmp_path, **OPTIONS)
    steps(model, [whole], 3)
    steps(model, [first], 3)
    first.evaluated(0.5, 0.6)
    path = first.checkpoint
    assert path is not None
    for name, damage in damaged(path).items():
        damage()
        again = trainee_of(task, model, folder=tmp_path, **OPTIONS)
        assert again.progress.step == again.progress.evaluations == 0, name
        steps(model, [again], 3)
        assert_same(state_of(again), state_of(whole), 0.0)


def test_rates_by_schedule() -> None:
    training = Training(learning_rate=0.1, warmup=0.2)
    rates = [training.rate(step, 10) for step in range(10)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.1])
    assert rates[9] == pytest.approx(0.1 / 8)
    assert all(a > b for a, b in pairwise(rates[2:]))
    constant = Training(learning_rate=0.1, warmup=0.0, schedule="constant")
    assert [constant.rate(step, 5) for step in range(5)] == [0.1] * 5
    cosine = Training(learning_rate=0.1, warmup=0.0, schedule="cosine")
    assert cosine.rate(5, 10) == pytest.approx(0.05)
    assert (training.most_steps(33), training.period(33)) == (60, 3)
    assert Training(steps=7, evaluate_every=2).most_steps(33) == 7


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
        Training(**changes)


def test_an_unknown_schedule(unchecked: None) -> None:
    with pytest.raises(InputError, match="unknown schedule 'sqrt'; use constant, linear, cosine"):
        Training(schedule="sqrt")  # type: ignore[arg-type]
