"""Axes: from values to positions in per cent of a drawing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Tick:
    """A grid line with its text."""

    at: float
    text: str


class Axis(Protocol):
    """Anything that places values and draws grid lines."""

    def at(self, value: float) -> float:
        """The position of ``value`` in per cent."""

    def ticks(self, text: Callable[[float], str]) -> list[Tick]:
        """Grid lines at round values."""


@dataclass(frozen=True)
class Scale:
    """Maps values from ``low`` to ``high`` onto ``start`` to ``end`` per cent."""

    low: float
    high: float
    step: float
    start: float = 3.0
    end: float = 97.0

    def at(self, value: float) -> float:
        """The position of ``value``, kept inside the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + (self.end - self.start) * min(1.0, max(0.0, share)), 2)

    def ticks(self, text: Callable[[float], str]) -> list[Tick]:
        """Grid lines at round values."""
        first = math.ceil(round(self.low / self.step, 6))
        last = math.floor(round(self.high / self.step, 6))
        values = [position * self.step for position in range(first, last + 1)]
        return [Tick(self.at(value), text(value)) for value in values]


def scale_over(values: Sequence[float], *, start: float = 3.0, end: float = 97.0) -> Scale:
    """A scale with about five round steps around ``values``; ``start > end`` runs upwards."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    bottom = math.floor(round(low / step, 6)) * step
    top = math.ceil(round(high / step, 6)) * step
    return Scale(bottom, top, step, start, end)


@dataclass(frozen=True)
class LogScale:
    """Maps positive values so that equal ratios are equally far apart."""

    exponents: Scale

    def at(self, value: float) -> float:
        """The position of ``value``, kept inside the drawing."""
        return self.exponents.at(math.log10(value))

    def ticks(self, text: Callable[[float], str]) -> list[Tick]:
        """Grid lines at 1, 2 and 5 times the powers of ten, fewer over many powers."""
        low, high = self.exponents.low, self.exponents.high
        leading = (1, 2, 5) if high - low < 1.7 else (1, 3) if high - low < 3 else (1,)
        values = [
            first * 10.0**power
            for power in range(math.floor(low), math.ceil(high) + 1)
            for first in leading
        ]
        inside = [value for value in values if low <= math.log10(value) <= high]
        return [Tick(self.at(value), text(value)) for value in inside]


def cost_scale(values: Sequence[float], *, start: float, end: float) -> Axis:
    """A linear scale, or a logarithmic one when positive values differ more than twenty times."""
    if not values or min(values) <= 0 or max(values) <= 20 * min(values):
        return scale_over(values, start=start, end=end)
    low, high = math.log10(min(values)), math.log10(max(values))
    return LogScale(Scale(low, high, 1.0, start, end))
