"""Metrics of ranked answers."""

from __future__ import annotations

import unicodedata

from promptlab.errors import InputError
from promptlab.evaluation.metrics.base import MeanMetric
from promptlab.evaluation.predictions import Prediction

_NORMALIZATION = "answers are compared without case and outer blanks"


class PrecisionAtK(MeanMetric):
    """Share of rows whose target is among the first ``k`` of ``trace["ranking"]`` (P@k).

    Without a ranking the row's scores are ranked. As in LAMA (Petroni et al. 2019).
    """

    normalization = _NORMALIZATION

    def __init__(self, k: int = 1) -> None:
        if k < 1:
            raise InputError(f"precision_at_{k}: k must be at least 1")
        self.k = k
        self.name = f"precision_at_{k}"

    def row_value(self, row: Prediction, target: str) -> float:
        """1 when the target is among the first k, else 0."""
        return float(_plain(target) in _ranking(row)[: self.k])


class MeanReciprocalRank(MeanMetric):
    """Mean of 1 / rank of the target in ``trace["ranking"]``, 0 where it is not ranked."""

    name = "mean_reciprocal_rank"
    normalization = _NORMALIZATION

    def row_value(self, row: Prediction, target: str) -> float:
        """1 / rank, the first place being 1."""
        ranking = _ranking(row)
        wanted = _plain(target)
        return 1 / (1 + ranking.index(wanted)) if wanted in ranking else 0.0


def _ranking(row: Prediction) -> list[str]:
    """The row's answers, best first."""
    ranked = row.trace.get("ranking") if isinstance(row.trace, dict) else None
    if ranked is None and row.scores is not None:
        ranked = sorted(row.scores, key=row.scores.__getitem__, reverse=True)
    if ranked is None:
        raise InputError(
            f"example {row.example_id!r} has no ranking; "
            "use a predictor that ranks its answers, such as a knowledge probe"
        )
    return [_plain(str(answer)) for answer in ranked]


def _plain(answer: str) -> str:
    """An answer without case, which uncased vocabularies do not have, and outer blanks."""
    return unicodedata.normalize("NFC", answer).strip().casefold()
