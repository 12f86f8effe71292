"""Metrics of ordered labels: stars, grades, scores. Being near counts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from promptlab.data.numeral import parse_number
from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import Metric, answered_rows
from promptlab.evaluation.predictions import Predictions

_NORMALIZATION = "labels are compared as numbers; one that is none is as far off as can be"


class QuadraticKappa(Metric):
    """Cohen's kappa with quadratic weights, in [-1, 1]: 0 is chance, 1 is agreement.

    A label two steps from its target costs four times what one step costs (Cohen 1968). Labels are
    numbers; an unparsed reply, or
    one that is no number, counts as the label furthest from its target.
    """

    name = "quadratic_kappa"
    normalization = _NORMALIZATION

    def compute(self, predictions: Predictions) -> float:
        """What scikit-learn's ``cohen_kappa_score(weights="quadratic")`` gives."""
        sums = np.sum(np.array(self.counts(predictions)), axis=0)
        return float(self.of_counts(sums))

    def counts(self, predictions: Predictions) -> list[tuple[float, ...]]:
        """Of every row 1, x, y, x², y² and (x − y)²: all that the quadratic weights need."""
        return [
            (1.0, x, y, x * x, y * y, (x - y) ** 2)
            for x, y in ordered_pairs(self.name, predictions)
        ]

    def of_counts(
        self, sums: Float[np.ndarray, "*resample count"]
    ) -> Float[np.ndarray, "*resample"]:
        """The metric of sums of `counts`; 0 where neither side varies and they differ."""
        n, x, y, xx, yy, apart = np.moveaxis(np.asarray(sums, dtype=float), -1, 0)
        chance = xx + yy - 2 * x * y / n
        with np.errstate(divide="ignore", invalid="ignore"):
            kappa = 1 - apart / chance
        return np.where(chance > 1e-9 * n, kappa, np.where(apart > 0, 0.0, 1.0))


class MeanAbsoluteError(Metric):
    """Mean distance of a label from its target; lower is better.

    Labels are numbers; an unparsed reply is as far off as its target allows.
    """

    name = "mean_absolute_error"
    normalization = _NORMALIZATION
    higher_is_better = False

    def compute(self, predictions: Predictions) -> float:
        """The mean over the rows."""
        return float(np.mean(self.per_example(predictions)))

    def per_example(self, predictions: Predictions) -> list[float]:
        """The distance of every row, in order."""
        return [abs(x - y) for x, y in ordered_pairs(self.name, predictions)]


def ordered_pairs(metric: str, predictions: Predictions) -> list[tuple[float, float]]:
    """Target and label of every row as numbers. Raises `InputError` for labels that are none."""
    rows = list(answered_rows(predictions))
    targets = [_number(metric, row.example_id, target) for row, target in rows]
    low, high = min(targets), max(targets)
    found = []
    for (row, _), target in zip(rows, targets, strict=True):
        said = None if row.unparsed or row.label is None else parse_number(row.label)
        furthest = low if target - low > high - target else high
        found.append((target, furthest if said is None else float(said)))
    return found


def _number(metric: str, example: str, label: str) -> float:
    value = parse_number(label)
    if value is None:
        raise InputError(
            f"{metric}: the label {label!r} of example {example!r} is no number; use accuracy or "
            "macro_f1 for classes that have no order"
        )
    return float(value)
