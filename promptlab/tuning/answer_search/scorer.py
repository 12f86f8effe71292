"""Thousands of answers judged at once, from the log-probabilities of their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from promptlab.prompts.verbalizer import Aggregation

NONE = -1
"""Fills the places of a label that has fewer words than another one."""
_MAX_NUMBERS = 4_000_000
"""So many log-probabilities of words are held in memory at a time."""
_LEAST_PROBABILITY = 1e-30
"""As in `calibration_prior`."""


@dataclass(frozen=True, eq=False)
class AnswerQuality:
    """How answers do: ``right`` and ``loglikelihood`` ``[answer, fold]`` are sums over examples.

    ``loglikelihood`` is of the right labels, in nats.
    """

    right: Float[np.ndarray, "answer fold"]
    loglikelihood: Float[np.ndarray, "answer fold"]

    def order(self) -> Int[np.ndarray, " answer"]:
        """All answers, those that are right most often first; of equals the likelier."""
        right, likely = self.right.sum(axis=1), self.loglikelihood.sum(axis=1)
        return np.lexsort((-likely, -right))


class AnswerScorer:
    """The labels' log-probabilities under any answers, as `PromptClassifier` would give them.

    Args:
        logprobs: ``[example, word]`` in nats, of words at the examples' slots.
        free: ``[prompt, word]``, the same at the slots of the prompts that make the calibration's
            prior; none without calibration.
        aggregation: How a label's words are joined.
        stop: Called between blocks; what it raises ends the work.
    """

    def __init__(
        self,
        logprobs: Float[np.ndarray, "example word"],
        free: Float[np.ndarray, "prompt word"] | None = None,
        *,
        aggregation: Aggregation = "sum",
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.logprobs = np.asarray(logprobs, dtype=np.float64)
        self.free = None if free is None or not len(free) else np.asarray(free, dtype=np.float64)
        self.aggregation = aggregation
        self._stop = stop

    def label_logprobs(
        self, answers: Int[np.ndarray, "answer label place"]
    ) -> Float[np.ndarray, "answer example label"]:
        """Log-probabilities in nats of the labels, normalised over them.

        ``answers`` are columns of the words, `NONE` where a label has fewer.
        """
        shape = (len(answers), len(self.logprobs), answers.shape[1])
        found = np.empty(shape)
        for start, block in self._blocks(answers):
            found[start : start + len(block)] = block
        return found

    def quality(
        self,
        answers: Int[np.ndarray, "answer label place"],
        targets: Int[np.ndarray, " example"],
        folds: Int[np.ndarray, " example"] | None = None,
    ) -> AnswerQuality:
        """How often every answer is right, and how likely it makes the right labels, by fold."""
        folds = np.zeros(len(targets), dtype=np.int64) if folds is None else folds
        count = int(folds.max(initial=0)) + 1
        member = np.zeros((len(targets), count))
        member[np.arange(len(targets)), folds] = 1.0
        right, likely = np.zeros((len(answers), count)), np.zeros((len(answers), count))
        rows = np.arange(len(targets))
        for start, block in self._blocks(answers):
            part = slice(start, start + len(block))
            right[part] = (block.argmax(axis=2) == targets[None, :]) @ member
            likely[part] = block[:, rows, targets] @ member
        return AnswerQuality(right, likely)

    def _blocks(
        self, answers: Int[np.ndarray, "answer label place"]
    ) -> Iterator[tuple[int, Float[np.ndarray, "part example label"]]]:
        height = len(self.logprobs) + (0 if self.free is None else len(self.free))
        size = max(1, _MAX_NUMBERS // max(1, height * answers.shape[1] * answers.shape[2]))
        for start in range(0, len(answers), size):
            self._stop()
            yield start, self._block(answers[start : start + size])

    def _block(
        self, answers: Int[np.ndarray, "part label place"]
    ) -> Float[np.ndarray, "part example label"]:
        used = answers != NONE
        values = np.where(used, self.logprobs[:, answers], -np.inf)
        if self.free is not None:
            values = values - np.where(used, self._priors(answers, used), 0.0)
        scores = self._joined(values, used)
        scores = scores - np.logaddexp.reduce(scores, axis=2, keepdims=True)
        return np.ascontiguousarray(scores.transpose(1, 0, 2))

    def _priors(
        self, answers: Int[np.ndarray, "part label place"], used: np.ndarray
    ) -> Float[np.ndarray, "part label place"]:
        """What is taken off every word: the log of its mean share among the words of its answer."""
        assert self.free is not None
        values = np.where(used, self.free[:, answers], -np.inf)
        shares = np.exp(values - values.max(axis=(2, 3), keepdims=True))
        shares /= shares.sum(axis=(2, 3), keepdims=True)
        found: Float[np.ndarray, "part label place"] = np.log(
            np.maximum(shares.mean(axis=0), _LEAST_PROBABILITY)
        )
        return found

    def _joined(self, values: np.ndarray, used: np.ndarray) -> np.ndarray:
        """Words of a label as one number, as `Verbalizer` joins them."""
        if values.shape[-1] == 1:
            return np.asarray(values[..., 0])
        if self.aggregation == "max":
            return np.asarray(values.max(axis=-1))
        if self.aggregation == "mean":
            total = np.where(used, values, 0.0).sum(axis=-1)
            return np.asarray(total / used.sum(axis=-1))
        return np.asarray(np.logaddexp.reduce(values, axis=-1))
