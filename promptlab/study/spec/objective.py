"""What a study optimises: metrics of the predictions, and costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from promptlab.evaluation.distinct_texts import mean_counts, mean_interval, sum_counts, text_means
from promptlab.evaluation.evaluation import Evaluation, Texts
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.metrics.base import Metric
from promptlab.evaluation.predictions import Prediction, Predictions, answered_by_both
from promptlab.evaluation.statistics import (
    Comparison,
    bootstrap_interval,
    bootstrap_interval_of,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_of,
)

_COSTS: dict[str, Callable[[Prediction], float]] = {
    "tokens": lambda row: float(row.tokens_in + row.tokens_out),
    "seconds": lambda row: row.seconds,
    "unparsed_rate": lambda row: float(row.unparsed),
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
        of_row = _COSTS[name]
        return Objective(name, partial(_mean, of_row), False, partial(_each, of_row))
    metric = get_metric(name)
    return Objective(name, metric.compute, metric.higher_is_better, metric.per_example, metric)


def _each(of_row: Callable[[Prediction], float], rows: Predictions) -> list[float]:
    return [of_row(row) for row in rows.answered]


def _mean(of_row: Callable[[Prediction], float], rows: Predictions) -> float:
    values = _each(of_row, rows)
    return math.fsum(values) / len(values) if values else 0.0


def summarize_predictions(
    rows: Predictions, objectives: Sequence[Objective], texts: Texts | None = None
) -> dict[str, Any]:
    """Accuracy with its 95 % interval and n, and every objective, of what was answered.

    ``texts`` names the text of each example by its id; a text that repeats counts once in the
    intervals. ``n`` counts the answered examples, ``n_distinct`` their different texts,
    ``n_missing`` those without an answer.
    """
    found = Evaluation.from_predictions(rows, texts=texts)
    values: dict[str, Any] = {
        "accuracy": found.accuracy,
        "ci95": list(found.ci95),
        "n": found.n,
        "n_distinct": found.n_distinct,
        "n_missing": found.n_missing,
    }
    first, answered = objectives[0], rows.answered
    keys = _keys(answered, texts)
    if first.name != "accuracy" and (each := first.per_example(answered)) is not None:
        limits = bootstrap_interval(each, 0) if keys is None else mean_interval(each, keys, 0)
        values[f"{first.name}_ci95"] = list(limits)
    elif first.metric is not None and (counts := first.metric.counts(answered)) is not None:
        counts = counts if keys is None else sum_counts(counts, keys)
        limits = bootstrap_interval_of(counts, first.metric.of_counts, seed=0)
        values[f"{first.name}_ci95"] = list(limits)
    return values | {o.name: float(o.compute(rows)) for o in objectives}


def compare_paired(
    objective: Objective,
    a: Predictions,
    b: Predictions,
    *,
    seed: int,
    texts: Texts | None = None,
) -> Comparison:
    """a with b on the examples that both answered, every different text counted once.

    McNemar for accuracy where the rows of each text agree, else a paired bootstrap over the texts.
    A metric that is neither a mean nor of counts is compared by accuracy, and ``measure`` says so.
    Without a common example nothing is compared: p is 1 and n is 0.
    """
    a, b = answered_by_both(a, b)
    if not len(a):
        return Comparison("not_compared", 1.0, 0, 0.0, (-1.0, 1.0), 0, objective.name)
    keys = _keys(a, texts)
    left, right = objective.per_example(a), objective.per_example(b)
    if objective.name == "accuracy" or left is None or right is None:
        counts = None if objective.metric is None else objective.metric.counts(a + b)
        if objective.name == "accuracy" or objective.metric is None or counts is None:
            return _of_right(a, b, keys, seed)
        sides = [counts[: len(a)], counts[len(a) :]]
        summed = [side if keys is None else mean_counts(side, keys) for side in sides]
        found = paired_bootstrap_of(summed[0], summed[1], objective.metric.of_counts, seed)
    else:
        first, second = (v if keys is None else text_means(v, keys) for v in (left, right))
        found = paired_bootstrap(first, second, seed=seed)
    return replace(found, measure=objective.name)


def _of_right(
    a: Predictions, b: Predictions, keys: Sequence[Hashable] | None, seed: int
) -> Comparison:
    """Two columns of right and wrong answers."""
    if keys is None:
        return mcnemar_exact(a.correct, b.correct)
    left, right = (text_means([float(c) for c in rows.correct], keys) for rows in (a, b))
    if set(left) | set(right) <= {0.0, 1.0}:
        return mcnemar_exact([v == 1 for v in left], [v == 1 for v in right])
    return paired_bootstrap(left, right, seed=seed)


def _keys(rows: Predictions, texts: Texts | None) -> list[Hashable] | None:
    """The text of every row, ``None`` where none repeats."""
    if texts is None:
        return None
    keys = [texts.get(row.example_id, ("", row.example_id)) for row in rows]
    return None if len(set(keys)) == len(keys) else keys
