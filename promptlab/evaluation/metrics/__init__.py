"""Metrics: small objects that read nothing but a `Predictions` table.

Every metric lies in [0, 1]; Matthews' coefficient and quadratic kappa in [-1, 1], the mean
absolute error in steps of the labels. An unparsed reply is wrong everywhere; it is never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import MeanMetric, Metric
from promptlab.evaluation.metrics.classification import (
    Accuracy,
    CalibrationError,
    MacroF1,
    Matthews,
)
from promptlab.evaluation.metrics.ordinal import MeanAbsoluteError, QuadraticKappa
from promptlab.evaluation.metrics.puzzles import Solved24
from promptlab.evaluation.metrics.ranking import MeanReciprocalRank, PrecisionAtK
from promptlab.evaluation.metrics.tagging import SpanF1
from promptlab.evaluation.metrics.text import Bleu, ChrF, ExactMatch, NumericMatch, Rouge
from promptlab.files.code_permission import build_with, class_path, load_class
from promptlab.files.provenance import note_package

__all__ = [
    "Accuracy",
    "Bleu",
    "CalibrationError",
    "ChrF",
    "ExactMatch",
    "MacroF1",
    "Matthews",
    "MeanAbsoluteError",
    "MeanMetric",
    "MeanReciprocalRank",
    "Metric",
    "NumericMatch",
    "PrecisionAtK",
    "QuadraticKappa",
    "Rouge",
    "Solved24",
    "SpanF1",
    "get_metric",
    "metric_names",
]

_METRICS: dict[str, Callable[[], Metric]] = {
    "accuracy": Accuracy,
    "bleu": Bleu,
    "calibration_error": CalibrationError,
    "chrf": ChrF,
    "exact_match": ExactMatch,
    "game24": Solved24,
    "macro_f1": MacroF1,
    "matthews": Matthews,
    "mean_absolute_error": MeanAbsoluteError,
    "mean_reciprocal_rank": MeanReciprocalRank,
    "numeric_match": NumericMatch,
    "precision_at_1": PrecisionAtK,
    "quadratic_kappa": QuadraticKappa,
    "rouge": Rouge,
    "rouge_1": lambda: Rouge("1"),
    "rouge_2": lambda: Rouge("2"),
    "span_f1": SpanF1,
}
_PRECISION = re.compile(r"precision_at_(\d{1,6})")


def metric_names() -> list[str]:
    """Names that `get_metric` knows, sorted (``precision_at_<k>`` goes with any k)."""
    return sorted(_METRICS)


def get_metric(name: str) -> Metric:
    """The metric called ``name``, or a Metric subclass of yours given as ``package.module:Name``.

    Raises InputError, listing the names, for an unknown one, and for code that is not allowed
    (`allow_code`).
    """
    if name in _METRICS:
        metric = _METRICS[name]()
        note_package(*metric.packages)
        return metric
    if match := _PRECISION.fullmatch(name):
        return PrecisionAtK(int(match[1]))
    if ":" in name:
        return _outside_metric(name)
    raise InputError(
        f"unknown metric {name!r:.80}; the metrics are {', '.join(metric_names())}, "
        "precision_at_<k>, or package.module:Name"
    )


def _outside_metric(place: str) -> Metric:
    """An instance of the Metric subclass at ``package.module:Name``."""
    shipped = [class_path(made) for made in _METRICS.values() if isinstance(made, type)]
    found = load_class(place, Metric, "metric", shipped=shipped)  # type: ignore[type-abstract]
    return build_with(found, f"the metric {place!r}")
