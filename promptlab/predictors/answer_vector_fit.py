"""Answer vectors of labels fitted to features: a softmax regression drawn back to its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

STRENGTHS = (np.inf, 10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4)
"""How strongly vectors are drawn back to where they begin, the strongest first."""
_MAX_STEPS = 500


@dataclass(frozen=True, eq=False)
class VectorFit:
    """Vectors that were fitted, and what is known of them.

    Args:
        vectors: ``[label, dim]``.
        strength: How strongly they are drawn back; infinite where they stay as they began.
        tried: How many strengths were tried.
        accuracy: The share of train that is labelled rightly.
        corrected: The same for examples of left-out folds, the choice of the strength repeated
            without each fold; ``None`` where there are too few texts for two folds.
        folds: How many folds that were.
    """

    vectors: Float[np.ndarray, "label dim"]
    strength: float
    tried: int
    accuracy: float
    corrected: float | None
    folds: int


def fit_vectors(
    features: Float[np.ndarray, "example dim"],
    targets: Int[np.ndarray, " example"],
    start: Float[np.ndarray, "label dim"],
    bias: Float[np.ndarray, " label"],
    folds: Int[np.ndarray, " example"] | None,
    *,
    keeps_start: bool = True,
    strengths: Sequence[float] = STRENGTHS,
) -> VectorFit:
    """The vectors v that minimise -mean log p(label) + strength/2 · s · Σ |v - start|².

    p is the softmax of features · v + bias, and s the mean squared length of a feature, so that a
    strength means the same for every model. The strength is the one under which examples of
    left-out folds are likeliest, of equals the strongest; without folds the strongest finite one.

    Args:
        features: Of the examples' slots.
        targets: The numbers of their labels.
        start: Where the vectors begin.
        bias: Of every label; it stays.
        folds: The fold of every example, or ``None``.
        keeps_start: Whether vectors that stay where they begin are among those that are tried.
        strengths: Those that are tried.

    Returns:
        The vectors, fitted to all examples.
    """
    wide = np.asarray(features, dtype=np.float64)
    path = sorted((s for s in strengths if keeps_start or np.isfinite(s)), reverse=True)
    problem = _Problem(wide, targets, np.asarray(start, dtype=np.float64), bias)
    every = np.ones(len(targets), dtype=bool)
    if folds is None:
        chosen = next(place for place, strength in enumerate(path) if np.isfinite(strength))
        corrected, count = None, 0
    else:
        held = _held_out(problem, folds, path)
        rows = np.arange(len(targets))
        likely, right = held[:, rows, targets], held.argmax(axis=2) == targets
        chosen = int(likely.mean(axis=1).argmax())
        count = int(folds.max()) + 1
        # The choice of the strength is repeated without each fold, and judged on that fold.
        picks = [int(likely[:, folds != fold].mean(axis=1).argmax()) for fold in range(count)]
        corrected = float(np.mean([right[picks[int(fold)], i] for i, fold in enumerate(folds)]))
    vectors = problem.path(every, path[: chosen + 1])[-1]
    logits = wide @ vectors.T + bias
    accuracy = float((logits.argmax(axis=1) == targets).mean())
    return VectorFit(vectors, path[chosen], len(path), accuracy, corrected, count)


def _held_out(
    problem: _Problem, folds: Int[np.ndarray, " example"], path: Sequence[float]
) -> Float[np.ndarray, "strength example label"]:
    """Log-probabilities of the labels of every example by vectors that have not seen its fold."""
    found = np.empty((len(path), len(folds), len(problem.start)))
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        for place, vectors in enumerate(problem.path(~held, path)):
            logits = problem.features[held] @ vectors.T + problem.bias
            found[place, held] = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return found


class _Problem:
    """The regression in the space that the features span: there are often fewer than dimensions."""

    def __init__(
        self,
        features: Float[np.ndarray, "example dim"],
        targets: Int[np.ndarray, " example"],
        start: Float[np.ndarray, "label dim"],
        bias: Float[np.ndarray, " label"],
    ) -> None:
        self.features, self.targets, self.start, self.bias = features, targets, start, bias
        self._scale = float(np.sqrt((features**2).sum(axis=1).mean())) or 1.0
        left, values, self._basis = np.linalg.svd(features / self._scale, full_matrices=False)
        self._points = left * values
        self._offsets = features @ start.T + bias
        self._right = np.zeros_like(self._offsets)
        self._right[np.arange(len(targets)), targets] = 1.0

    def path(
        self, rows: np.ndarray, strengths: Sequence[float]
    ) -> list[Float[np.ndarray, "label dim"]]:
        """The vectors under every strength, each begun at those of the one before."""
        from scipy.optimize import minimize

        change = np.zeros(len(self.start) * self._points.shape[1])
        found = []
        for strength in strengths:
            if np.isfinite(strength):
                change = minimize(
                    self._loss,
                    change,
                    (self._points[rows], self._offsets[rows], self._right[rows], strength),
                    method="L-BFGS-B",
                    jac=True,
                    options={"maxiter": _MAX_STEPS},
                ).x
            learned = change.reshape(len(self.start), -1) @ self._basis / self._scale
            found.append(self.start + learned)
        return found

    def _loss(
        self,
        flat: np.ndarray,
        points: np.ndarray,
        offsets: np.ndarray,
        right: np.ndarray,
        strength: float,
    ) -> tuple[float, np.ndarray]:
        """The loss and its gradient; ``flat`` is the change in units of 1 / scale."""
        change = flat.reshape(len(self.start), -1)
        logits = offsets + points @ change.T
        logits -= np.logaddexp.reduce(logits, axis=1, keepdims=True)
        loss = -(right * logits).sum() / len(points) + strength / 2 * (change**2).sum()
        slope = (np.exp(logits) - right).T @ points / len(points) + strength * change
        return float(loss), slope.ravel()
