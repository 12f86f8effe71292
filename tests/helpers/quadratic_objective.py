"""A trigger oracle whose best trigger is known: squared distances in an embedding space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from promptlab.tuning.triggers.losses import Tokens

EXAMPLES = 24


class QuadraticOracle:
    """The loss of example e is the sum over positions i of weight[e, i] |E[token i] - E[best i]|².

    Every example's weights are positive, so ``best`` is best for each of them. ``calls`` counts
    the losses that were asked for.
    """

    def __init__(self, vocabulary: int = 60, length: int = 4, dim: int = 5, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.vocabulary = vocabulary
        self.embedding = rng.normal(size=(vocabulary, dim))
        self.best: Tokens = tuple(rng.choice(vocabulary, size=length, replace=False).tolist())
        self.weights = rng.uniform(0.5, 1.5, size=(EXAMPLES, length))
        self.calls = 0
        self.dev_calls: list[Tokens] = []

    def losses(self, tokens: Sequence[Tokens], examples: Sequence[int]) -> np.ndarray:
        self.calls += len(tokens) * len(examples)
        return self._distances(tokens) @ self.weights[list(examples)].T

    def gradient(self, tokens: Tokens, examples: Sequence[int]) -> np.ndarray:
        held = self.embedding[list(tokens)]
        slope = 2 * (held - self.embedding[list(self.best)])
        slope = slope * self.weights[list(examples)].mean(axis=0)[:, None]
        return slope @ self.embedding.T - (slope * held).sum(axis=1, keepdims=True)

    def dev_score(self, tokens: Tokens) -> float:
        self.dev_calls.append(tokens)
        return -float(self._distances([tokens]).sum())

    def _distances(self, tokens: Sequence[Tokens]) -> np.ndarray:
        apart = self.embedding[np.array(tokens)] - self.embedding[list(self.best)]
        return (apart**2).sum(axis=-1)
