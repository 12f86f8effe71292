"""How good predictions are: accuracy with its interval, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptlab.errors import InputError
from promptlab.metric import get_metric
from promptlab.predictions import Predictions
from promptlab.statistics import wilson_interval


@dataclass(frozen=True)
class Evaluation:
    """Accuracy with its 95 % Wilson interval over ``n`` examples, further metrics, and costs.

    ``tokens`` and ``seconds`` are totals; ``metrics`` are values by name.
    """

    accuracy: float
    ci95: tuple[float, float]
    n: int
    unparsed_rate: float
    tokens: int
    seconds: float
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Predictions, metrics: tuple[str, ...] = ()) -> Evaluation:
        """The evaluation of predictions that all have a target.

        Raises `InputError` for an empty table, a row without a target, or an unknown metric.
        """
        if not rows or any(row.target is None for row in rows):
            raise InputError("an evaluation needs labelled examples, one at least")
        right = sum(rows.correct)
        return cls(
            accuracy=right / len(rows),
            ci95=wilson_interval(right, len(rows)),
            n=len(rows),
            unparsed_rate=rows.unparsed_rate,
            tokens=rows.tokens,
            seconds=rows.seconds,
            metrics={name: get_metric(name).compute(rows) for name in metrics},
        )

    def __str__(self) -> str:
        low, high = self.ci95
        return (
            f"accuracy {self.accuracy:.3f} (95 % interval {low:.3f} to {high:.3f}, n = {self.n}), "
            f"{self.unparsed_rate:.1%} unparsed, {self.tokens:,} tokens, {self.seconds:.1f} s"
        )
