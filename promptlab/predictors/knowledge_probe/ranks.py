"""Where the right answer stands among all answers, and the figures made of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from promptlab.evaluation.statistics import Interval, bootstrap_interval, wilson_interval

_RESAMPLES, _MAX_DRAWS = 9_999, 20_000_000
_MIN_RESAMPLES = 999


def answer_ranks(
    scores: Float[np.ndarray, "fact answer"],
    right: Int[np.ndarray, " fact"],
    others: Sequence[Sequence[int]],
) -> Float[np.ndarray, " fact"]:
    """The rank of every fact's right answer, 1 for the best.

    Answers of one score share their places: each has the mean of the best and the worst of them
    (the realistic rank of Berrendorf et al. 2020), so that a model which finds all answers equally
    likely is not taken to know any. Other right answers of the same subject are left out of its
    ranking, as in LAMA (the filter of Bordes et al. 2013).

    Args:
        scores: The larger the better.
        right: The column of each fact's right answer.
        others: The columns of the other right answers, for each fact.

    Returns:
        Ranks, halves among them.

    Example:
        >>> answer_ranks(np.array([[3.0, 2.0, 2.0, 1.0]]), np.array([1]), [()]).tolist()
        [2.5]
        >>> answer_ranks(np.array([[3.0, 2.0, 2.0, 1.0]]), np.array([1]), [(0,)]).tolist()
        [1.5]
    """
    own = scores[np.arange(len(scores)), right][:, None]
    better, same = scores > own, scores == own
    for row, columns in enumerate(others):
        better[row, list(columns)] = same[row, list(columns)] = False
    found: Float[np.ndarray, " fact"] = 1 + better.sum(axis=1) + (same.sum(axis=1) - 1) / 2
    return found


def rank_means(ranks: Sequence[float]) -> dict[str, float]:
    """P@1, P@10 and the mean reciprocal rank, without intervals; at least one rank."""
    values = np.asarray(ranks, dtype=float)
    return {
        "p_at_1": float((values <= 1).mean()),
        "p_at_10": float((values <= 10).mean()),
        "mrr": float((1 / values).mean()),
    }


@dataclass(frozen=True)
class RankFigures:
    """What the ranks of some facts come to; ``None`` where there are no facts.

    Args:
        n: How many facts.
        p_at_1: The share whose right answer ranks first (P@1).
        p_at_1_ci95: Its 95 % interval (Wilson).
        p_at_10: The share whose right answer is among the first ten (P@10).
        p_at_10_ci95: Its 95 % interval (Wilson).
        mrr: The mean of 1 / rank.
        mrr_ci95: Its 95 % interval (bootstrap, BCa).
    """

    n: int
    p_at_1: float | None = None
    p_at_1_ci95: Interval | None = None
    p_at_10: float | None = None
    p_at_10_ci95: Interval | None = None
    mrr: float | None = None
    mrr_ci95: Interval | None = None

    @classmethod
    def from_ranks(cls, ranks: Sequence[float], seed: int) -> RankFigures:
        """The figures; ``seed`` draws the bootstrap's samples.

        Example:
            >>> found = RankFigures.from_ranks([1, 2, 1.5, 20], seed=0)
            >>> found.p_at_1, found.p_at_10, round(found.mrr, 4)
            (0.25, 0.75, 0.5542)
        """
        n = len(ranks)
        if not n:
            return cls(0)
        values = np.asarray(ranks, dtype=float)
        drawn = max(_MIN_RESAMPLES, min(_RESAMPLES, _MAX_DRAWS // n))
        return cls(
            n,
            **rank_means(ranks),
            p_at_1_ci95=wilson_interval(int((values <= 1).sum()), n),
            p_at_10_ci95=wilson_interval(int((values <= 10).sum()), n),
            mrr_ci95=bootstrap_interval(list(1 / values), seed, resamples=drawn),
        )

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
