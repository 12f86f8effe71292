"""How good predictions are: their table, metrics, statistics, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptlab import lazy_getattr

if TYPE_CHECKING:
    from promptlab.evaluation.failure_clusters import cluster_failures
    from promptlab.evaluation.failure_log import FailureLog
    from promptlab.evaluation.metrics.base import Metric
    from promptlab.evaluation.sequential_testing import (
        PairedSequentialTest,
        SequentialResult,
        examples_to_decide,
        paired_differences,
    )
    from promptlab.evaluation.trace import Trace

__all__ = [
    "FailureLog",
    "Metric",
    "PairedSequentialTest",
    "SequentialResult",
    "Trace",
    "cluster_failures",
    "examples_to_decide",
    "paired_differences",
]

_HOMES = {
    "FailureLog": "promptlab.evaluation.failure_log",
    "Metric": "promptlab.evaluation.metrics.base",
    "PairedSequentialTest": "promptlab.evaluation.sequential_testing",
    "SequentialResult": "promptlab.evaluation.sequential_testing",
    "Trace": "promptlab.evaluation.trace",
    "cluster_failures": "promptlab.evaluation.failure_clusters",
    "examples_to_decide": "promptlab.evaluation.sequential_testing",
    "paired_differences": "promptlab.evaluation.sequential_testing",
}

if not TYPE_CHECKING:
    __getattr__ = lazy_getattr(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
