"""How good an order of demonstrations is, by what the model then says of other examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def global_entropy(logprobs: Float[np.ndarray, "example label"]) -> float:
    """Entropy in nats of the labels that are predicted (Lu et al. 2022, GlobalE).

    It is small when the order makes the model say the same of everything.
    """
    predicted = np.bincount(logprobs.argmax(axis=1), minlength=logprobs.shape[1])
    return _entropy(predicted / len(logprobs))


def local_entropy(logprobs: Float[np.ndarray, "example label"]) -> float:
    """Mean entropy in nats of the label distributions of the examples (Lu et al. 2022, LocalE).

    It is small when the order makes the model overconfident.
    """
    return float(np.mean([_entropy(np.exp(row)) for row in logprobs]))


def likelihood(logprobs: Float[np.ndarray, "example label"], right: Sequence[int]) -> float:
    """Mean log-likelihood in nats of the examples' right labels (their columns)."""
    return float(logprobs[np.arange(len(logprobs)), list(right)].mean())


def _entropy(probabilities: Float[np.ndarray, " label"]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
