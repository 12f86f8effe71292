"""Candidates of the kinds that learn, and their trainees, for the tests of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FixedTrial

from promptlab.candidates.base import find_kind
from promptlab.candidates.gradient_tuned import TunedKind
from promptlab.data.task import Task
from promptlab.models.local import LocalModel
from promptlab.predictors.candidate import Candidate
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.trainer_state import TrainState

OWN = {"negative": "terrible", "positive": "great"}
SEVERAL = {"negative": ["terrible", "it never lands"], "positive": ["great", "a gorgeous film"]}
TEMPLATE = "{soft:3} {text} It was {mask}"


def kind_of(task: Task, name: str = "soft_prompt", **changes: Any) -> TunedKind:
    """A group of one template, all dimensions at one value."""
    template: Mapping[str, Any] = {
        "text": changes.pop("text", TEMPLATE),
        "answers": changes.pop("answers", OWN),
        "parser": changes.pop("parser", None),
    }
    found = find_kind(name)
    settings = found.Settings(kind=name, templates=[template], **changes)  # type: ignore[call-arg]
    made = found(settings, task)
    assert isinstance(made, TunedKind)
    return made


def candidate_of(kind: TunedKind) -> Candidate:
    """The group's only candidate."""
    return kind.suggest(FixedTrial({}), "")


def trainee_of(
    task: Task,
    model: LocalModel,
    name: str = "soft_prompt",
    *,
    number: int = 0,
    folder: Path | None = None,
    **changes: Any,
) -> TrainState:
    """One candidate in training."""
    kind = kind_of(task, name, **changes)
    asked = FitRequest(number, candidate_of(kind))
    return kind._trainee(asked, model, FitContext("accuracy", folder=folder))


def steps(model: LocalModel, trainees: Sequence[TrainState], count: int) -> list[list[float]]:
    """The losses of so many steps of one pack, trainee by trainee."""
    pack = PackedTrainer(model)
    rows = []
    for _ in range(count):
        found = pack.step(trainees)
        for loss in found:
            if isinstance(loss, Exception):
                raise loss
        rows.append([loss for loss in found if isinstance(loss, float)])
    return [list(column) for column in zip(*rows, strict=True)]


def state_of(trainee: TrainState) -> dict[str, torch.Tensor]:
    """All that is trained, as it is now."""
    return {name: tensor.clone() for name, tensor in trainee.learner.state_dict().items()}


def given_by(trainee: TrainState) -> dict[str, torch.Tensor]:
    """What the learner gives out now: vectors, prefix and mixture weights.

    Inside an encoder Adam makes steps of the learning rate out of gradients that are rounding.
    """
    learner = trainee.learner
    found = {"vectors": learner.vectors(), "prefix": learner.prefix()}
    found["mixture"] = torch.tensor(learner.mixture_weights())
    return {name: tensor.detach() for name, tensor in found.items() if tensor is not None}


def assert_same(
    left: Mapping[str, torch.Tensor], right: Mapping[str, torch.Tensor], tolerance: float
) -> None:
    """Equal within an absolute tolerance; 0 means bit by bit."""
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        torch.testing.assert_close(
            tensor,
            right[name],
            atol=tolerance,
            rtol=0.0,
            msg=lambda found, name=name: f"{name}: {found}",
        )
