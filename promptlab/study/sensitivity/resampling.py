"""What another sample of examples would say: bootstrap, shuffled levels, and halves.

Values are ``[*levels, example]``; examples are drawn, never cells: the prompts stay the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from promptlab.study.sensitivity.decomposition import Cells, level_means

RESAMPLES = 1000
"""Bootstrap samples of the examples."""
SHUFFLES = 999
"""Draws of the permutation test."""
HALVES = 200
"""Random halves of the examples."""
_DRAWN_AT_ONCE = 20_000_000


def bootstrap_cells(values: Cells, seed: int, resamples: int = RESAMPLES) -> Cells:
    """The cells' means over resampled examples: ``[resample, *levels]``."""
    n = values.shape[-1]
    random = np.random.default_rng((seed, 1))
    times = random.multinomial(n, np.full(n, 1 / n), size=resamples) / n
    flat = values.reshape(-1, n)
    found = times @ flat.T
    return found.reshape(resamples, *values.shape[:-1])


def percentile_interval(drawn: Cells, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of a bootstrap's values."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def shuffle_levels(values: Cells, factor: int, seed: int, shuffles: int = SHUFFLES) -> Cells:
    """A factor's level means if its levels did not matter: ``[shuffle, level]``.

    Within every example the levels' values (means over all else) are put in a random order: a
    permutation test in blocks, as Friedman's, for the null hypothesis that levels are exchangeable.
    """
    n_factors = values.ndim - 1
    by_example = level_means(np.moveaxis(values, -1, 0), factor, n_factors)  # [example, level]
    n, levels = by_example.shape
    random = np.random.default_rng((seed, 2, factor))
    drawn = []
    step = max(1, _DRAWN_AT_ONCE // (n * levels))
    for start in range(0, shuffles, step):
        size = min(step, shuffles - start)
        mixed = random.permuted(np.broadcast_to(by_example, (size, n, levels)), axis=2)
        drawn.append(mixed.mean(axis=1))
    return np.concatenate(drawn)


def split_halves(values: Cells, seed: int, halves: int = HALVES) -> tuple[Cells, Cells]:
    """The cells' means over random halves of the examples and over the others.

    Both are ``[split, *levels]``; an odd number leaves the second half one more.
    """
    n = values.shape[-1]
    random = np.random.default_rng((seed, 3))
    order = random.permuted(np.broadcast_to(np.arange(n), (halves, n)), axis=1)
    first = np.zeros((halves, n))
    np.put_along_axis(first, order[:, : n // 2], 1.0, axis=1)
    flat = values.reshape(-1, n)
    shape = (halves, *values.shape[:-1])
    one = (first @ flat.T / (n // 2)).reshape(shape)
    other = ((1 - first) @ flat.T / (n - n // 2)).reshape(shape)
    return one, other


def kendall_tau(one: Cells, other: Cells) -> Any:
    """Kendall's tau-b between rows of values along the last axis; NaN where a side is all ties.

    tau-b = Σ sign(a_i - a_j) sign(b_i - b_j) / √(Σ sign(a_i - a_j)² Σ sign(b_i - b_j)²), sums over
    pairs i < j (Kendall 1945), for many rows at once.

    Example:
        >>> round(float(kendall_tau(np.array([1, 2, 3.0]), np.array([1, 3, 2.0]))), 3)
        0.333
    """
    first, second = np.triu_indices(one.shape[-1], k=1)
    # Means that are equal but for rounding are ties.
    a = np.sign(np.round(one[..., first] - one[..., second], 12))
    b = np.sign(np.round(other[..., first] - other[..., second], 12))
    below = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, (a * b).sum(axis=-1) / below, np.nan)
