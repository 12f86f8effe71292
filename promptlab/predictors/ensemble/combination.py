"""How the members' probabilities become one: the methods, and the weights that they use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.predictors.ensemble.votes import MIN_PROBABILITY, MemberVotes

Method = Literal["majority", "mean", "weighted", "dev_accuracy", "learned", "stacking"]
LEARNED_METHODS = ("dev_accuracy", "learned", "stacking")
"""Methods whose weights are learned on dev."""
_TIE = 1e-6
"""How much the mean probability counts beside votes: enough to decide between equal ones."""


@dataclass(frozen=True)
class CombinationRule:
    """A weight for each member (0: it is not asked), and for *stacking* a bias for each label."""

    weights: tuple[float, ...]
    bias: tuple[float, ...] = ()

    def record(self) -> dict[str, Any]:
        """Plain JSON data."""
        return {"weights": list(self.weights), "bias": list(self.bias)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `record`."""
        return cls(tuple(record["weights"]), tuple(record["bias"]))


def check_method(method: str) -> None:
    """Raise `InputError` for an unknown method, listing those that there are."""
    if method not in get_args(Method):
        raise InputError(
            f"the method of an ensemble is one of {', '.join(get_args(Method))}; found {method!r}"
        )


def check_weights(weights: tuple[float, ...], members: int) -> None:
    """Raise `InputError` unless there is a weight for each member, none below 0, one above."""
    if len(weights) != members:
        raise InputError(f"{members} members and {len(weights)} weights; give one for each")
    if any(not np.isfinite(w) or w < 0 for w in weights) or not any(weights):
        raise InputError(f"weights are numbers from 0, one at least above; found {list(weights)}")


def combine(
    method: Method, rule: CombinationRule, ballot: MemberVotes, smoothing: float
) -> Float[np.ndarray, " label"] | None:
    """Log-probabilities of the ballot's labels in nats; ``None`` when all have abstained.

    *majority*: the weighted share of votes, moved towards equality by ``smoothing`` so that it is
    a probability; equal shares are decided by the mean probability. *stacking*: a softmax of the
    weighted sum of log-probabilities and the labels' biases. All others: the weighted mean of
    probabilities over the members that have not abstained.
    """
    weights: np.ndarray = np.array(rule.weights) * ballot.voted
    if not ballot.voted[np.array(rule.weights) != 0].any():
        return None
    logs = np.log(np.maximum(ballot.probabilities, MIN_PROBABILITY))
    if method == "stacking":
        logits = weights @ logs + np.array(rule.bias)
        return logits - np.logaddexp.reduce(logits)
    weights = weights / weights.sum()
    mean = weights @ ballot.probabilities
    if method == "majority":
        count = len(ballot.labels)
        votes = np.bincount(np.maximum(ballot.votes, 0), weights, minlength=count)
        share = (1 - smoothing) * votes + smoothing / count
        mean = (1 - _TIE) * share + _TIE * mean
    return np.log(np.maximum(mean, MIN_PROBABILITY))
