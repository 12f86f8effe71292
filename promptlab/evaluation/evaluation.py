"""How good predictions are: accuracy with its interval, and what they cost."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from promptlab.errors import InputError
from promptlab.evaluation.distinct_texts import n_distinct, proportion_interval
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Predictions

Texts = Mapping[str, Hashable]
"""The text of every example by its id; equal where examples repeat each other."""


@dataclass(frozen=True)
class Evaluation:
    """Accuracy with its 95 % interval over ``n`` answered examples, further metrics, and costs.

    ``n_missing`` examples have no answer; they are neither right nor wrong and in none of the
    figures but ``tokens`` and ``seconds``, which are totals. ``n_distinct`` counts the different
    texts among the ``n``: of texts that repeat, the interval counts one. It is Wilson's interval
    where none does. ``metrics`` are values by name.
    """

    accuracy: float
    ci95: tuple[float, float]
    n: int
    unparsed_rate: float
    tokens: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)
    n_missing: int = 0
    n_distinct: int = 0

    @classmethod
    def from_predictions(
        cls, rows: Predictions, metrics: tuple[str, ...] = (), texts: Texts | None = None
    ) -> Evaluation:
        """The evaluation of predictions that all have a target.

        Raises `InputError` for an empty table, one without any answer, a row without a target, or
        an unknown metric.
        """
        if not rows or any(row.target is None for row in rows):
            raise InputError("an evaluation needs labelled examples, one at least")
        answered = rows.answered
        if not answered:
            raise InputError(
                f"none of the {len(rows)} examples was answered, so there is nothing to evaluate; "
                f"the first: {rows.errors[0]}"
            )
        known = texts or {}
        keys = [known.get(row.example_id, ("", row.example_id)) for row in answered]
        return cls(
            accuracy=sum(answered.correct) / len(answered),
            ci95=proportion_interval(answered.correct, keys),
            n=len(answered),
            unparsed_rate=rows.unparsed_rate,
            tokens=rows.tokens,
            seconds=rows.seconds,
            metrics={name: get_metric(name).compute(rows) for name in metrics},
            n_missing=rows.n_missing,
            n_distinct=n_distinct(keys),
        )

    def __str__(self) -> str:
        low, high = self.ci95
        return (
            f"accuracy {self.accuracy:.3f} "
            f"(95 % interval {low:.3f} to {high:.3f}, {self.sample_size_text}), "
            f"{self.unparsed_rate:.1%} unparsed, {self.tokens:,} tokens, {self.seconds:.1f} s"
        )

    @property
    def sample_size_text(self) -> str:
        """Over how many examples: "n = 24", "n = 16 of 24 answered", "730 distinct texts"."""
        return sample_size_text(self.n, self.n_missing, self.n_distinct)


def sample_size_text(n: int, n_missing: int = 0, n_distinct: int | None = None) -> str:
    """Over how many examples a figure is, missing answers and repeated texts told.

    Example:
        >>> sample_size_text(16, 8)
        'n = 16 of 24 answered'
        >>> sample_size_text(1000, 0, 730)
        'n = 1,000, 730 distinct texts'
    """
    text = f"n = {n:,}"
    if n_missing:
        text += f" of {n + n_missing:,} answered"
    if n_distinct and n_distinct < n:
        text += f", {n_distinct:,} distinct texts"
    return text
