"""What a metric is."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import ModuleType

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions


class Metric(ABC):
    """Scores a table of predictions; a metric of your own is a subclass with `compute`.

    ``compute`` gives one number. ``per_example`` gives the values whose mean that number is, for
    paired tests, or ``None`` when the metric is no such mean. Rows without an answer are left out
    of both.

    Attributes:
        name: What studies and reports call it.
        higher_is_better: Whether more is better.
        normalization: In one sentence, what is taken to be equal; reports show it.
        packages: Packages that it computes with beside those of every study.

    Raises:
        InputError: By both methods, when nothing was answered or a row has no target.

    Example:
        >>> from promptlab.evaluation.metrics import get_metric
        >>> rows = Predictions([Prediction("1", "yes", "yes"), Prediction("2", "yes", "no")])
        >>> get_metric("accuracy").compute(rows)
        0.5
    """

    name: str
    higher_is_better: bool = True
    normalization: str = ""
    packages: tuple[str, ...] = ()

    @abstractmethod
    def compute(self, predictions: Predictions) -> float:
        """The metric over the whole table."""

    def per_example(self, predictions: Predictions) -> list[float] | None:
        """One value an answered row, in order, or ``None``."""
        return None

    def counts(self, predictions: Predictions) -> list[tuple[float, ...]] | None:
        """Counts of every answered row whose sums over the rows give the metric, or ``None``.

        They are what a bootstrap over examples needs where the metric is no mean. Two predictors
        are compared by the counts of both tables as one, so that they count the same things.
        """
        return None

    def of_counts(
        self, sums: Float[np.ndarray, "*resample count"]
    ) -> Float[np.ndarray, "*resample"]:
        """The metric of sums of `counts`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class MeanMetric(Metric):
    """A metric that is the mean of one value a row."""

    @abstractmethod
    def row_value(self, row: Prediction, target: str) -> float:
        """The value of one row."""

    def compute(self, predictions: Predictions) -> float:
        """The mean over the rows."""
        values = self.per_example(predictions)
        return math.fsum(values) / len(values)

    def per_example(self, predictions: Predictions) -> list[float]:
        """One value a row, in order."""
        return [self.row_value(row, target) for row, target in answered_rows(predictions)]


def answered_rows(predictions: Predictions) -> Iterator[tuple[Prediction, str]]:
    """Every answered row with its target; what was never answered is neither right nor wrong."""
    for row in answered_predictions(predictions):
        yield row, str(row.target)


def answered_predictions(predictions: Predictions) -> Predictions:
    """The answered rows, of which every one has a target."""
    if not len(predictions):
        raise InputError("a metric needs at least one prediction; the table is empty")
    rows = predictions.answered
    if not len(rows):
        raise InputError(
            f"a metric needs at least one answer; all {len(predictions)} requests failed, the "
            f"first: {predictions.errors[0]}"
        )
    if None in rows.targets:
        row = next(row for row in rows if row.target is None)
        raise InputError(f"example {row.example_id!r} has no label to compare with")
    return rows


def import_optional(module: str, package: str) -> ModuleType:
    """Import a package that is not always installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"this metric needs the package {package}, which is not installed: "
            f"run  pip install {package}"
        ) from error
