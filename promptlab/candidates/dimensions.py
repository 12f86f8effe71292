"""Search dimensions as study files write them: a list of choices, or a range of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import model_validator

from promptlab.candidates.base import Trial
from promptlab.files.settings import Settings


class Range(Settings):
    """All numbers from ``low`` to ``high``, evenly or (``log``) by their logarithm."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low < self.high:
            raise ValueError(
                f"a range goes from low to a larger high, found {self.low}, {self.high}"
            )
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, found {self.low}")
        return self


def suggest_choice(trial: Trial, name: str, choices: Sequence[Any]) -> Any:
    """A categorical dimension; one choice alone is no dimension."""
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)


def suggest_value(trial: Trial, name: str, values: Sequence[Any] | Range) -> Any:
    """One of the choices, or a number of the range."""
    if isinstance(values, Range):
        return trial.suggest_float(name, values.low, values.high, log=values.log)
    return suggest_choice(trial, name, values)
