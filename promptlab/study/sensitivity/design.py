"""The design: factors with their levels, all crossed with all: every level weighs the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptlab.errors import InputError

FACTORS: dict[str, str] = {
    "wording": "wording",
    "format": "format",
    "answers": "answer words",
    "order": "order of demonstrations",
    "seed": "draw of demonstrations",
}
"""What is varied, and what people call it."""
USUAL_LEVELS = {"wording": 4, "format": 4, "answers": 3, "order": 2, "seed": 3}
"""Levels of every factor where nobody asks for another number."""
MAX_PROMPTS = 96
"""Prompts at most where nobody asks for another number."""


@dataclass(frozen=True)
class Factor:
    """One thing that is varied; ``levels`` are their names, the one that is started from first."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class FactorialDesign:
    """Every combination of the levels of all factors, once: a balanced full factorial design."""

    factors: tuple[Factor, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many levels each factor has."""
        return tuple(len(factor.levels) for factor in self.factors)

    @property
    def size(self) -> int:
        """How many combinations there are."""
        return math.prod(self.shape)

    @property
    def varied(self) -> tuple[int, ...]:
        """The places of the factors with two levels or more."""
        return tuple(place for place, count in enumerate(self.shape) if count > 1)

    def cells(self) -> Iterator[dict[str, int]]:
        """Every combination as the number of each factor's level, the last factor fastest."""
        names = [factor.name for factor in self.factors]
        for numbers in itertools.product(*map(range, self.shape)):
            yield dict(zip(names, numbers, strict=True))

    def level_names(self, cell: Sequence[int]) -> dict[str, str]:
        """The names of a combination's levels by factor."""
        pairs = zip(self.factors, cell, strict=True)
        return {factor.name: factor.levels[number] for factor, number in pairs}


def check_levels(asked: Mapping[str, int]) -> None:
    """Raise `InputError` for an unknown factor, and for less than one level."""
    for name, number in asked.items():
        if name not in FACTORS:
            raise InputError(f"levels: unknown factor {name!r:.60}; they are {', '.join(FACTORS)}")
        if number < 1:
            raise InputError(f"levels: {name} has {number}; 1 leaves it as it is, 2 varies it")


def plan_levels(
    available: Mapping[str, int], asked: Mapping[str, int] | None = None, most: int = MAX_PROMPTS
) -> dict[str, int]:
    """How many levels each factor gets, so that there are at most ``most`` combinations.

    Where they are too many, the factor with most levels gives one up (of equals the last one), but
    none goes below two by that. Numbers that are asked for stay as they are.

    Args:
        available: Levels that there are, by factor.
        asked: Levels that are wanted, by factor; one leaves a factor as it is.
        most: Combinations at most.

    Returns:
        The number of levels by factor.

    Raises:
        InputError: For an unknown factor, a number below one, or where ``most`` is too small.

    Example:
        >>> plan_levels({"wording": 9, "format": 9, "answers": 1}, {"format": 2}, most=6)
        {'wording': 3, 'format': 2, 'answers': 1}
    """
    asked = dict(asked or {})
    check_levels(asked)
    planned = {
        name: max(1, min(count, asked.get(name, USUAL_LEVELS.get(name, count))))
        for name, count in available.items()
    }
    free = [name for name in planned if name not in asked]
    while math.prod(planned.values()) > most:
        largest = max((planned[name] for name in free), default=0)
        if largest <= 2:
            needed = math.prod(planned.values())
            told = ", ".join(f"{name} {count}" for name, count in planned.items() if count > 1)
            raise InputError(
                f"at most {most} prompts are too few for these factors: {needed} are the least "
                f"({told}); "
                "allow more, or leave a factor as it is (levels of 1)"
            )
        planned[[name for name in free if planned[name] == largest][-1]] -= 1
    return planned
