"""Metrics of classification."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import (
    MeanMetric,
    Metric,
    answered_predictions,
    answered_rows,
)
from promptlab.evaluation.predictions import Prediction, Predictions

_UNPARSED = "\x00unparsed"  # stands for a missing label; no data file can hold it


class Accuracy(MeanMetric):
    """Share of rows whose label equals the target."""

    name = "accuracy"
    normalization = "a label is right when it equals the target to the letter"

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when right, else 0."""
        return float(row.correct)

    def per_example(self, predictions: Predictions) -> list[float]:
        """1 a right row and 0 a wrong one, in order."""
        return [float(right) for right in answered_predictions(predictions).correct]


class MacroF1(Metric):
    """Unweighted mean of the classes' F1, over the classes seen as target or label."""

    name = "macro_f1"
    normalization = "a label is right when it equals the target to the letter"

    def compute(self, predictions: Predictions) -> float:
        """scikit-learn's ``f1_score(average="macro")``; unparsed replies are misses."""
        from sklearn.metrics import f1_score

        targets, labels = _columns(predictions)
        classes = sorted({*targets, *labels} - {_UNPARSED})
        return float(f1_score(targets, labels, labels=classes, average="macro", zero_division=0.0))

    def counts(self, predictions: Predictions) -> list[tuple[float, ...]]:
        """For each class whether the row is right, is of it, and was put into it."""
        targets, labels = _columns(predictions)
        classes = sorted({*targets, *labels} - {_UNPARSED})
        return [
            tuple(
                float(value)
                for name in classes
                for value in (name == target == label, name == target, name == label)
            )
            for target, label in zip(targets, labels, strict=True)
        ]

    def of_counts(
        self, sums: Float[np.ndarray, "*resample count"]
    ) -> Float[np.ndarray, "*resample"]:
        """The mean F1 of the classes that are there; a class may be missing from a resample."""
        each = sums.reshape(*sums.shape[:-1], -1, 3)
        seen = each[..., 1] + each[..., 2]
        scores = np.where(seen > 0, 2 * each[..., 0] / np.maximum(seen, 1), 0.0)
        found: np.ndarray = scores.sum(axis=-1) / np.maximum((seen > 0).sum(axis=-1), 1)
        return found


class Matthews(Metric):
    """Matthews' correlation coefficient, in [-1, 1]; 0 when only one class is predicted."""

    name = "matthews"
    normalization = "a label is right when it equals the target to the letter"

    def compute(self, predictions: Predictions) -> float:
        """scikit-learn's ``matthews_corrcoef``; unparsed replies form a class of their own."""
        from sklearn.metrics import matthews_corrcoef

        targets, labels = _columns(predictions)
        return float(matthews_corrcoef(targets, labels))

    def counts(self, predictions: Predictions) -> list[tuple[float, ...]]:
        """Whether the row is right, then for each class whether it is of it, and was put there."""
        targets, labels = _columns(predictions)
        classes = sorted({*targets, *labels})
        return [
            (
                float(target == label),
                *(float(name == target) for name in classes),
                *(float(name == label) for name in classes),
            )
            for target, label in zip(targets, labels, strict=True)
        ]

    def of_counts(
        self, sums: Float[np.ndarray, "*resample count"]
    ) -> Float[np.ndarray, "*resample"]:
        """The coefficient of K classes (Gorodkin 2004), 0 where one of the sides has one class."""
        classes = (sums.shape[-1] - 1) // 2
        true, found = sums[..., 1 : 1 + classes], sums[..., 1 + classes :]
        rows = true.sum(axis=-1)
        shared = sums[..., 0] * rows - (true * found).sum(axis=-1)
        spread = (rows**2 - (true**2).sum(axis=-1)) * (rows**2 - (found**2).sum(axis=-1))
        value: np.ndarray = np.where(
            spread > 0, shared / np.sqrt(np.where(spread > 0, spread, 1)), 0.0
        )
        return value


class CalibrationError(Metric):
    """Expected calibration error with equal-width bins (Guo et al. 2017, eq. 5); lower is better.

    The confidence of a row is the probability that its scores give to the predicted label.
    """

    name = "calibration_error"
    higher_is_better = False
    normalization = "a label is right when it equals the target to the letter"

    def __init__(self, bins: int = 15) -> None:
        if bins < 1:
            raise InputError(f"calibration_error: bins must be at least 1; found {bins}")
        self.bins = bins

    def compute(self, predictions: Predictions) -> float:
        """Mean gap between confidence and accuracy, weighted by the rows in each bin."""
        gaps = [0.0] * self.bins
        count = 0
        for row, _ in answered_rows(predictions):
            if row.scores is None or row.label is None or row.label not in row.scores:
                raise InputError(
                    f"calibration_error: example {row.example_id!r} has no score for its label; "
                    "use a predictor that scores labels, such as a prompt with a verbalizer"
                )
            score = row.scores[row.label]
            if math.isnan(score):
                raise InputError(
                    f"calibration_error: example {row.example_id!r} has a score that is no number "
                    "(NaN); see its prediction"
                )
            confidence = math.exp(min(0.0, score))
            # Bins are open to the left, as in the paper: (0, 1/m], (1/m, 2/m], ...
            place = max(0, math.ceil(confidence * self.bins) - 1)
            gaps[place] += row.correct - confidence
            count += 1
        return math.fsum(map(abs, gaps)) / count


def _columns(predictions: Predictions) -> tuple[list[str], list[str]]:
    """Targets and labels, a missing label as `_UNPARSED`."""
    rows = list(answered_rows(predictions))
    labels = [_UNPARSED if row.unparsed or row.label is None else row.label for row, _ in rows]
    return [target for _, target in rows], labels
