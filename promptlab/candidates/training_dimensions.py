"""The dimensions of a training, as study files write them and trials search them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, field_validator

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import Range, suggest_value
from promptlab.files.settings import Seed
from promptlab.tuning.hyperparameters import Schedule

SEARCHED = ("batch_size", "weight_decay", "schedule", "seed")
GIVEN = ("epochs", "steps", "warmup", "clip", "evaluate_every", "patience", "dev_examples")
_SHORT = {"batch_size": "batch", "weight_decay": "decay", "schedule": ""}

Numbers = Annotated[list[float], Field(min_length=1)] | Range
"""Choices, at least one, or a range."""


def above_zero(value: Numbers) -> Numbers:
    """The learning rates, all above 0. Raises `ValueError`."""
    for number in [value.low] if isinstance(value, Range) else value:
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"a learning rate must be above 0, found {number}")
    return value


class TrainingSettings(KindSettings):
    """How the learned parts of a group are trained; lists and ranges are searched.

    The names are those of `promptlab.tuning.hyperparameters.TrainingConfig`.
    """

    learning_rate: Numbers = Field(default=[0.03])
    batch_size: list[int] = Field(default=[16], min_length=1)
    weight_decay: Numbers = Field(default=[0.0])
    seed: list[Seed] = Field(default=[13], min_length=1)
    schedule: list[Schedule] = Field(default=["linear"], min_length=1)
    epochs: int = 20
    steps: int | None = None
    warmup: float = 0.06
    clip: float = 1.0
    evaluate_every: int | None = None
    patience: int = 5
    dev_examples: int = 200

    @field_validator("learning_rate")
    @classmethod
    def _above_zero(cls, value: Numbers) -> Numbers:
        return above_zero(value)


def suggest_setting(
    settings: TrainingSettings, key: str, trial: Trial, prefix: str, labels: list[str], short: str
) -> Any:
    """One dimension's value; ``labels`` names what is searched."""
    values = getattr(settings, key)
    found = suggest_value(trial, f"{prefix}{key}", values)
    if isinstance(values, Range) or len(values) > 1:
        told = f"{found:.3g}" if isinstance(found, float) else str(found)
        labels.append(f"{short} {told}".strip())
    return found


def training_dimensions(
    settings: TrainingSettings,
    trial: Trial,
    prefix: str,
    labels: list[str],
    rate: str = "learning_rate",
) -> dict[str, Any]:
    """The arguments of a `TrainingConfig`; ``rate`` is the setting that is its learning rate."""
    found = {"learning_rate": suggest_setting(settings, rate, trial, prefix, labels, "lr")}
    for key in SEARCHED:
        found[key] = suggest_setting(settings, key, trial, prefix, labels, _SHORT.get(key, key))
    return found | {key: getattr(settings, key) for key in GIVEN}


def first_training(settings: TrainingSettings) -> dict[str, Any]:
    """One value of every dimension, to be checked."""
    found: dict[str, Any] = {}
    for key in ("learning_rate", *SEARCHED):
        values = getattr(settings, key)
        found[key] = values.low if isinstance(values, Range) else values[0]
    return found | {key: getattr(settings, key) for key in GIVEN}


def every_training(settings: TrainingSettings) -> Iterator[dict[str, Any]]:
    """Trainings in which every value of every dimension occurs, to be checked."""
    first = first_training(settings)
    yield first
    for key in ("learning_rate", *SEARCHED):
        values = getattr(settings, key)
        if not isinstance(values, Range):
            yield from (first | {key: value} for value in values[1:])
