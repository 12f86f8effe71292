"""Training that goes on from a checkpoint, whole or damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import fit_one
from promptlab.data.task import Task
from promptlab.errors import Cancelled, Pruned
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Step
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.trainer_state import load_checkpoint, save_checkpoint
from tests.helpers.trainee_fixtures import OPTIONS, VARIANTS, Fresh, learned_by
from tests.helpers.tuning_fixtures import (
    assert_same,
    candidate_of,
    kind_of,
    state_of,
    steps,
    trainee_of,
)


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
    first.record_evaluation(0.5, 0.6)
    steps(model, [first], 1)  # lost
    second = trainee_of(task, model, folder=tmp_path, **(OPTIONS | options))
    assert (second.progress.step, second.progress.best) == (6, (0.5, -0.6))
    steps(model, [second], 6)
    assert_same(state_of(second), state_of(whole), 0.0)


class Killed(BaseException):
    """The process ends here."""


class Dying(FitContext):
    """Ends the process in the ``at``-th judgement."""

    def __init__(self, folder: Path | None, at: int | None = None, **options: Any) -> None:
        super().__init__("accuracy", folder=folder, **options)
        self.at = at
        self.count = 0

    def score_dev(self, rows: Predictions) -> float:
        self.count += 1
        if self.count == self.at:
            raise Killed
        return super().score_dev(rows)


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

    whole = fit_one(kind, candidate, model, FitContext("accuracy"))
    for at in (1, 3):
        with pytest.raises(Killed):
            fit_one(kind, candidate, model, Dying(tmp_path, at))
    counting = Dying(tmp_path, events=Events(listen))
    found = fit_one(kind, candidate, model, counting)
    assert counting.count == 3  # of the five evaluations two were kept
    assert steps_told == list(range(4, 13))
    left, right = (learned_by(one) for one in (whole, found))
    for name in ("vectors", "prefix"):
        ours, theirs = getattr(left, name), getattr(right, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or torch.equal(ours, theirs)
    assert left.facts["curve"] == right.facts["curve"]
    assert [point[0] for point in left.facts["curve"]] == [0, 3, 6, 9, 12]


class Reporting(FitContext):
    """Keeps what is reported; ends the process in the ``at``-th report, before it is kept."""

    def __init__(self, folder: Path, at: int | None = None, behind: int | None = None) -> None:
        super().__init__("accuracy", folder=folder)
        self.at = at
        self.behind = behind
        self.reported: list[int] = []

    def should_prune(self, number: int, step: int, value: float) -> bool:
        if len(self.reported) + 1 == self.at:
            raise Killed
        self.reported.append(step)
        return step == self.behind


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_killed_between_a_checkpoint_and_its_report(
    options: dict[str, Any], task: Task, fresh: Fresh, tmp_path: Path
) -> None:
    """The evaluation is reported all the same, and who is behind then is given up then."""
    model = fresh("tiny_masked")
    kind = kind_of(task, **(OPTIONS | options))
    candidate = candidate_of(kind)
    for folder, at in ((tmp_path / "a", 3), (tmp_path / "b", 1)):
        first = Reporting(folder, at)
        with pytest.raises(Killed):
            fit_one(kind, candidate, model, first)
        second = Reporting(folder)
        fit_one(kind, candidate, model, second)
        assert first.reported + second.reported == [1, 2, 3, 4, 5]
    with pytest.raises(Killed):
        fit_one(kind, candidate, model, Reporting(tmp_path / "c", 3))
    with pytest.raises(Pruned, match="is behind"):
        fit_one(kind, candidate, model, Reporting(tmp_path / "c", behind=3))


def test_cancelled_training_goes_on_later(task: Task, fresh: Fresh, tmp_path: Path) -> None:
    model = fresh("tiny_causal")
    kind = kind_of(task, **OPTIONS)
    candidate = candidate_of(kind)
    whole = learned_by(fit_one(kind, candidate, model, FitContext("accuracy")))
    cancellation = Cancellation()

    def listen(event: Any) -> None:
        if event.step == 7:
            cancellation.request()

    fitting = FitContext(
        "accuracy", folder=tmp_path, cancellation=cancellation, events=Events(listen)
    )
    with pytest.raises(Cancelled):
        fit_one(kind, candidate, model, fitting)
    found = learned_by(fit_one(kind, candidate, model, FitContext("accuracy", folder=tmp_path)))
    assert torch.equal(found.vectors, whole.vectors)


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
    first.record_evaluation(0.5, 0.6)
    path = first.checkpoint
    assert path is not None
    for name, damage in damaged(path).items():
        damage()
        again = trainee_of(task, model, folder=tmp_path, **OPTIONS)
        assert again.progress.step == again.progress.evaluations == 0, name
        steps(model, [again], 3)
        assert_same(state_of(again), state_of(whole), 0.0)
