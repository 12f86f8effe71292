"""Costs from a low to a high end: of a group of candidates, of a whole study."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class CostRange:
    """From ``low`` to ``high``."""

    low: float
    high: float

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange(self.low + other.low, self.high + other.high)

    def times(self, low: float, high: float | None = None) -> CostRange:
        """Both ends multiplied."""
        return CostRange(self.low * low, self.high * (low if high is None else high))


NOTHING = CostRange(0.0, 0.0)


@dataclass(frozen=True)
class GroupCost:
    """A group of candidates: how many there are (``None``: endless), and what its trials cost.

    ``tokens_in`` and ``tokens_out`` are those of predictions and of fitting by asking,
    ``learning`` the forward tokens of training. ``seconds`` are unknown for an endpoint.
    ``writer_in`` and ``writer_out`` are those of a writer of prompts, in no other number;
    ``writer_dollars`` is its price, ``None`` if it has none.
    """

    name: str
    kind: str
    candidates: int | None
    trials: CostRange
    tokens_in: CostRange
    tokens_out: CostRange
    learning: CostRange
    seconds: CostRange | None
    notes: tuple[str, ...] = ()
    writer_in: CostRange = NOTHING
    writer_out: CostRange = NOTHING
    writer_dollars: CostRange | None = NOTHING

    @property
    def tokens(self) -> CostRange:
        """All that goes through models."""
        own = self.tokens_in + self.tokens_out + self.learning
        return own + self.writer_in + self.writer_out


@dataclass(frozen=True)
class Estimate:
    """What a study will cost, from a low to a high end, as `estimate_study` gives it.

    Args:
        study: The study's name.
        model: The model's name.
        candidates: How many candidates there are; ``None`` for an endless space.
        trials: How many trials are planned; of a learning curve, how many cells.
        groups: The cost of each group of candidates, or of each method.
        decision: The cost of what follows the search: controls and the predictions on test.
        seconds: The time in all; ``None`` for an endpoint.
        dollars: The price in all; ``None`` for a model without a price.
        uncounted: What is left out, in words.

    Example:
        >>> from pathlib import Path
        >>> rows = [f"film {n} was {'good' if n % 2 else 'bad'},{n % 2}" for n in range(40)]
        >>> _ = Path("films.csv").write_text("\\n".join(["text,label", *rows]))
        >>> prompt = {"text": "{text} It was {mask}.", "answers": {"0": "bad", "1": "good"}}
        >>> group = {"kind": "template", "templates": [prompt], "calibration": ["none", "batch"]}
        >>> spec = pl.load_spec({"study": "films", "task": "films.csv", "candidates": [group]})
        >>> estimate = pl.estimate_study(spec, model)
        >>> estimate.trials, estimate.dollars, estimate.tokens.low <= estimate.tokens.high
        (2, None, True)
    """

    study: str
    model: str
    candidates: int | None
    trials: int
    groups: tuple[GroupCost, ...]
    decision: GroupCost
    seconds: CostRange | None
    dollars: CostRange | None
    uncounted: tuple[str, ...]

    @property
    def tokens(self) -> CostRange:
        """All tokens, those of the decision included."""
        return sum((group.tokens for group in self.groups), self.decision.tokens)

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {"tokens": asdict(self.tokens)}


def add_costs(one: GroupCost, other: GroupCost) -> GroupCost:
    """Two costs of one group as a sum; seconds are known where both are."""
    seconds = None
    if one.seconds is not None and other.seconds is not None:
        seconds = one.seconds + other.seconds
    dollars = None
    if one.writer_dollars is not None and other.writer_dollars is not None:
        dollars = one.writer_dollars + other.writer_dollars
    return replace(
        one,
        trials=one.trials + other.trials,
        tokens_in=one.tokens_in + other.tokens_in,
        tokens_out=one.tokens_out + other.tokens_out,
        learning=one.learning + other.learning,
        seconds=seconds,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
        writer_in=one.writer_in + other.writer_in,
        writer_out=one.writer_out + other.writer_out,
        writer_dollars=dollars,
    )
