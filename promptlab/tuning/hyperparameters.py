"""How something is trained: rate, steps, batches, and when to stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from promptlab.errors import InputError
from promptlab.files.settings import check_seed

Schedule = Literal["constant", "linear", "cosine"]


@dataclass(frozen=True)
class TrainingConfig:
    """AdamW (Loshchilov & Hutter 2019) with warm-up, clipping and early stopping on dev.

    ``learning_rate`` > 0 is reached after ``warmup`` (a share of the steps) and then held or
    brought to 0 by ``schedule``. ``steps`` is the most there are (``None``: ``epochs`` over the
    training examples). Every ``evaluate_every`` steps (``None``: once an epoch) dev is scored on
    at most ``dev_examples``; after ``patience`` evaluations without a better score training
    stops, and the best one counts. Raises `InputError`.
    """

    learning_rate: float = 0.03
    epochs: int = 20
    steps: int | None = None
    batch_size: int = 16
    weight_decay: float = 0.0
    warmup: float = 0.06
    schedule: Schedule = "linear"
    clip: float = 1.0
    evaluate_every: int | None = None
    patience: int = 5
    dev_examples: int = 200
    seed: int = 13

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(
                f"the learning rate is {self.learning_rate}; it must be above 0 (0.3 to 0.003 "
                "are usual for soft prompts, 1e-5 to 1e-3 for weights)"
            )
        for name in ("epochs", "batch_size", "patience", "dev_examples"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("steps", "evaluate_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        if not (self.weight_decay >= 0 and 0 <= self.warmup < 1 and self.clip > 0):
            raise InputError(
                f"weight_decay is {self.weight_decay}, warmup {self.warmup} and clip {self.clip}; "
                "they must be at least 0, a share from 0 to below 1, and above 0"
            )
        if self.schedule not in get_args(Schedule):
            raise InputError(
                f"unknown schedule {self.schedule!r}; use {', '.join(get_args(Schedule))}"
            )

    def steps_an_epoch(self, examples: int) -> int:
        """Steps that see every training example once."""
        return max(1, math.ceil(examples / self.batch_size))

    def most_steps(self, examples: int) -> int:
        """The most steps there are for so many training examples."""
        return self.steps or self.epochs * self.steps_an_epoch(examples)

    def period(self, examples: int) -> int:
        """Steps between two evaluations."""
        return self.evaluate_every or self.steps_an_epoch(examples)

    def rate(self, step: int, most: int) -> float:
        """The learning rate of ``step`` (from 0) among ``most``."""
        warm = math.ceil(self.warmup * most)
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        done = (step - warm) / max(1, most - warm)
        factor = {
            "constant": 1.0,
            "linear": 1.0 - done,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
        }[self.schedule]
        return self.learning_rate * factor
