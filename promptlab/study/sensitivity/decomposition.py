"""The variance of a factorial design's cells, divided among its factors (ANOVA).

In a balanced full factorial design the variance V of the cells' means is a sum without overlap: of
every factor's main effect V(f) = mean over its levels of (level's mean - grand mean)², and of their
interactions. V(f)/V is the first-order index of a factor, and what is left, 1 - Σ V(f)/V, the share
of all interactions. The total index of a factor, the mean variance along it with everything else
held, over V, also counts the interactions that it takes part in (Sobol' 1993; Homma & Saltelli
1996, for the uniform distribution over the design's cells).

Cells are means over a sample of n examples, so that part of every variance is noise. As all cells
have the same examples, the noise of a variance that is a mean of squared contrasts c(p) of the
cells is its mean of Var(c(y_i))/n, y_i being the cells' values for example i: taken off, the
estimate is unbiased (E[p'Ap] = π'Aπ + tr(AΣ)/n).

Arrays have the factors as their last axes, one a factor; axes before them (resamples) are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Cells = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class VarianceParts:
    """Variances of cells' means, or of their noise: ``main`` and ``total`` have one a factor.

    ``whole`` is that of all cells, ``interactions`` what the main effects leave of it.
    """

    whole: Cells
    main: Cells
    total: Cells

    @property
    def interactions(self) -> Cells:
        """What the main effects leave."""
        return self.whole - self.main.sum(axis=-1)


def level_means(cells: Cells, factor: int, n_factors: int) -> Cells:
    """The mean of every level of a factor over all else: ``[..., level]``.

    Example:
        >>> level_means(np.array([[0.5, 0.7], [0.6, 1.0]]), 0, 2).tolist()
        [0.6, 0.8]
    """
    others = tuple(axis for axis in _axes(n_factors) if axis != factor - n_factors)
    return cells.mean(axis=others)


def divide_variance(cells: Cells, n_factors: int) -> VarianceParts:
    """The variance of cells' means and its parts.

    Example:
        >>> parts = divide_variance(np.array([[0.5, 0.7], [0.6, 1.0]]), 2)
        >>> parts.main.round(4).tolist(), parts.interactions.round(4).tolist()
        ([0.01, 0.0225], 0.0025)
    """
    factors = range(n_factors)
    main = [level_means(cells, factor, n_factors).var(axis=-1) for factor in factors]
    total = [_mean(cells.var(axis=f - n_factors), n_factors - 1) for f in factors]
    whole = cells.var(axis=_axes(n_factors))
    return VarianceParts(whole, np.stack(main, axis=-1), np.stack(total, axis=-1))


def noise_variance(values: Cells) -> VarianceParts:
    """The part of `divide_variance` that noise makes, of values ``[*levels, example]``.

    Example:
        >>> both = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]])  # two levels, n = 4
        >>> noise_variance(both).main.round(4).tolist()  # contrasts ±.5: s² = 1/6, over n
        [0.0417]
    """
    n_factors = values.ndim - 1
    last = np.moveaxis(values, -1, 0)  # examples before the factors, as resamples stand
    grand = last.mean(axis=_axes(n_factors))
    main, total = [], []
    for factor in range(n_factors):
        axis = factor - n_factors
        main.append(_noise(level_means(last, factor, n_factors) - grand[:, None]))
        total.append(_noise(last - last.mean(axis=axis, keepdims=True)))
    whole = _noise(last - grand.reshape(-1, *[1] * n_factors))
    return VarianceParts(np.array(whole), np.array(main), np.array(total))


def _noise(contrasts: Cells) -> float:
    """Mean over contrasts of their variance over examples, by n; examples come first."""
    return float(contrasts.var(axis=0, ddof=1).mean() / len(contrasts))


def _mean(cells: Cells, n_factors: int) -> Cells:
    return cells.mean(axis=_axes(n_factors)) if n_factors else cells


def _axes(n_factors: int) -> tuple[int, ...]:
    """The factors' axes, counted from the end."""
    return tuple(range(-n_factors, 0))
