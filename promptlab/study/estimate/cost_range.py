"""Costs from a low to a high end: of a group of candidates, of a whole study."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Span:
    """From ``low`` to ``high``."""

    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def times(self, low: float, high: float | None = None) -> Span:
        """Both ends multiplied."""
        return Span(self.low * low, self.high * (low if high is None else high))


NOTHING = Span(0.0, 0.0)


@dataclass(frozen=True)
class GroupCost:
    """A group of candidates: how many there are (``None``: endless), and what its trials cost.

    ``tokens_in`` and ``tokens_out`` are those of predictions and of fitting by asking,
    ``learning`` the forward tokens of training. ``seconds`` are unknown for an endpoint.
    """

    name: str
    kind: str
    candidates: int | None
    trials: Span
    tokens_in: Span
    tokens_out: Span
    learning: Span
    seconds: Span | None
    notes: tuple[str, ...] = ()

    @property
    def tokens(self) -> Span:
        """All that goes through the model."""
        return self.tokens_in + self.tokens_out + self.learning


@dataclass(frozen=True)
class Estimate:
    """A study's cost. ``decision`` is what follows the search: controls and the look at test.

    ``candidates`` is ``None`` for an endless space, ``dollars`` without a price, ``seconds`` for
    an endpoint. ``uncounted`` says what is left out.
    """

    study: str
    model: str
    candidates: int | None
    trials: int
    groups: tuple[GroupCost, ...]
    decision: GroupCost
    seconds: Span | None
    dollars: Span | None
    uncounted: tuple[str, ...]

    @property
    def tokens(self) -> Span:
        """All tokens, those of the decision included."""
        return sum((group.tokens for group in self.groups), self.decision.tokens)

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {"tokens": asdict(self.tokens)}


def together(one: GroupCost, other: GroupCost) -> GroupCost:
    """Two costs of one group as a sum; seconds are known where both are."""
    seconds = None
    if one.seconds is not None and other.seconds is not None:
        seconds = one.seconds + other.seconds
    return replace(
        one,
        trials=one.trials + other.trials,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        learning=one.learning + other.learning,
        seconds=seconds,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
    )
