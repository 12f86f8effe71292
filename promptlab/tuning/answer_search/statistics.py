"""What every word of a vocabulary is worth for every label: sums over the training examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from promptlab.engine.network.network import Network

_ROWS = 64
"""Examples whose whole vocabularies are held in memory at a time."""
_LEAST_REST = 1e-7
"""So much probability is left to all other words at least: rounding may leave none."""


@dataclass(frozen=True, eq=False)
class WordStatistics:
    """Sums over the examples of every fold and label.

    Args:
        counts: ``[fold, label]``, examples.
        logprobs: ``[fold, label, word]``, sums of log p(word) in nats.
        log_odds: ``[fold, label, word]``, sums of log p(word) - log(1 - p(word)).
    """

    counts: Int[np.ndarray, "fold label"]
    logprobs: Float[np.ndarray, "fold label word"]
    log_odds: Float[np.ndarray, "fold label word"]

    @classmethod
    def from_blocks(
        cls,
        blocks: Iterator[Float[np.ndarray, "row word"]],
        labels: Int[np.ndarray, " example"],
        folds: Int[np.ndarray, " example"],
        classes: int,
    ) -> WordStatistics:
        """The sums over log-probabilities that come a block of examples at a time."""
        count = int(folds.max()) + 1 if len(folds) else 1
        cells = folds * classes + labels
        member = np.zeros((count * classes, len(labels)))
        member[cells, np.arange(len(labels))] = 1.0
        logprobs: Float[np.ndarray, "cell word"] | None = None
        log_odds: Float[np.ndarray, "cell word"] | None = None
        start = 0
        for block in blocks:
            part = member[:, start : start + len(block)]
            start += len(block)
            block = block.astype(np.float64)
            odds = block - np.log(-np.expm1(np.minimum(block, -_LEAST_REST)))
            logprobs = part @ block if logprobs is None else logprobs + part @ block
            log_odds = part @ odds if log_odds is None else log_odds + part @ odds
        assert logprobs is not None and log_odds is not None
        shape = (count, classes, -1)
        counts = member.sum(axis=1).astype(np.int64).reshape(count, classes)
        return cls(counts, logprobs.reshape(shape), log_odds.reshape(shape))

    def without_fold(self, fold: int) -> WordStatistics:
        """The sums over all other folds."""
        kept = np.arange(len(self.counts)) != fold
        return WordStatistics(self.counts[kept], self.logprobs[kept], self.log_odds[kept])

    def mean_logprobs(self) -> Float[np.ndarray, "label word"]:
        """The mean log-probability of every word over the examples of every label, in nats.

        This is what LM-BFF takes candidates by (Gao et al. 2021, section 5.1).
        """
        return self.logprobs.sum(axis=0) / self.counts.sum(axis=0)[:, None]

    def advantages(self) -> Float[np.ndarray, "label word"]:
        """The mean log-probability for a label's examples less that for all others', in nats."""
        return _inside_less_outside(self.logprobs, self.counts)

    def likelihood_ratios(self) -> Float[np.ndarray, "label word"]:
        """The log-likelihood ratio of every word for every label (Schick et al. 2020, PETAL).

        The answers to "is it this label?" of n₁ examples that are and n₀ that are not weigh alike
        by the scale factor n₀ / n₁: (n₀ / n₁) Σ₁ log(p / (1 - p)) - Σ₀ log(p / (1 - p)).
        """
        counts = self.counts.sum(axis=0)
        others = counts.sum() - counts
        ratios: Float[np.ndarray, "label word"] = (
            _inside_less_outside(self.log_odds, self.counts) * others[:, None]
        )
        return ratios


def _inside_less_outside(
    sums: Float[np.ndarray, "fold label word"], counts: Int[np.ndarray, "fold label"]
) -> Float[np.ndarray, "label word"]:
    """Means over the examples of a label less those over the examples of the others."""
    inside, number = sums.sum(axis=0), counts.sum(axis=0)
    outside, others = inside.sum(axis=0) - inside, number.sum() - number
    found: Float[np.ndarray, "label word"] = inside / number[:, None] - outside / others[:, None]
    return found


def vocabulary_blocks(
    network: Network, features: Float[np.ndarray, "example dim"], tokens: Sequence[int]
) -> Iterator[Float[np.ndarray, "row word"]]:
    """Log-probabilities in nats of tokens at slots whose features are known, a block at a time.

    No prompt goes through the network: this is the product with its vocabulary head.
    """
    columns = torch.tensor(list(tokens))
    for start in range(0, len(features), _ROWS):
        part = torch.from_numpy(features[start : start + _ROWS])
        with torch.inference_mode():
            found = network.vocabulary_logprobs(part).cpu()[:, columns]
        yield found.float().numpy()
