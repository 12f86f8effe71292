"""How good predictions are: their table, metrics, statistics, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.evaluation.failure_clusters import cluster_failures
    from promptlab.evaluation.failure_log import FailureLog
    from promptlab.evaluation.metrics.base import Metric
    from promptlab.evaluation.trace import Trace

__all__ = [
    "FailureLog",
    "Metric",
    "Trace",
    "cluster_failures",
]

_HOMES = {
    "FailureLog": "promptlab.evaluation.failure_log",
    "Metric": "promptlab.evaluation.metrics.base",
    "Trace": "promptlab.evaluation.trace",
    "cluster_failures": "promptlab.evaluation.failure_clusters",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
