"""What a study optimises: metrics of the predictions, and costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptlab.evaluation import Evaluation
from promptlab.metric import get_metric
from promptlab.metric.metric import Metric
from promptlab.predictions import Predictions
from promptlab.statistics import (
    Comparison,
    bootstrap_interval,
    bootstrap_interval_of,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_of,
)

_COSTS: dict[str, Callable[[Predictions], float]] = {
    "tokens": lambda rows: rows.tokens / len(rows),
    "seconds": lambda rows: rows.seconds / len(rows),
    "unparsed_rate": lambda rows: rows.unparsed_rate,
}


@dataclass(frozen=True)
class Objective:
    """A number to maximise or minimise over a table of predictions.

    ``tokens`` and ``seconds`` are means per example. ``metric`` is the metric it measures, if it
    is no cost.
    """

    name: str
    compute: Callable[[Predictions], float]
    maximise: bool
    per_example: Callable[[Predictions], list[float] | None]
    metric: Metric | None = None

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Optuna's word for it."""
        return "maximize" if self.maximise else "minimize"


def make_objective(name: str) -> Objective:
    """A metric's name or a cost: ``tokens``, ``seconds``, ``unparsed_rate``."""
    if name in _COSTS:
        return Objective(name, _COSTS[name], False, lambda rows: None)
    metric = get_metric(name)
    return Objective(name, metric.compute, metric.higher_is_better, metric.per_example, metric)


def summary(rows: Predictions, objectives: Sequence[Objective]) -> dict[str, Any]:
    """Accuracy with its 95 % interval and n, and every objective."""
    found = Evaluation.of(rows)
    values: dict[str, Any] = {"accuracy": found.accuracy, "ci95": list(found.ci95), "n": found.n}
    first = objectives[0]
    if first.name != "accuracy" and (each := first.per_example(rows)) is not None:
        values[f"{first.name}_ci95"] = list(bootstrap_interval(each, seed=0))
    elif first.metric is not None and (counts := first.metric.counts(rows)) is not None:
        limits = bootstrap_interval_of(counts, first.metric.of_counts, seed=0)
        values[f"{first.name}_ci95"] = list(limits)
    return values | {o.name: float(o.compute(rows)) for o in objectives}


def paired(objective: Objective, a: Predictions, b: Predictions, *, seed: int) -> Comparison:
    """a with b on the same examples: McNemar for accuracy, else a paired bootstrap."""
    if objective.name == "accuracy":
        return mcnemar_exact(a.correct, b.correct)
    left, right = objective.per_example(a), objective.per_example(b)
    if objective.metric is not None and left is None:
        counts = [objective.metric.counts(rows) for rows in (a, b)]
        if counts[0] is not None and counts[1] is not None:
            measure = objective.metric.of_counts
            return paired_bootstrap_of(counts[0], counts[1], measure, seed)
    if left is None or right is None:
        return mcnemar_exact(a.correct, b.correct)
    return paired_bootstrap(left, right, seed=seed)
