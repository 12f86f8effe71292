"""Whether one prompt is better than another, decided as soon as the examples suffice.

A test that is looked at after every example, and stopped when it is significant, is wrong far more
often than it says. The tests here hold at any moment at which somebody looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from promptlab.errors import InputError
from promptlab.evaluation.predictions import Predictions, answered_by_both

Signal = Literal["accuracy", "probability"]
"""What is compared: right answers, or the probabilities that the right labels were given."""

_STAKES = np.linspace(0.05, 0.95, 19)
"""Parts of the wealth that are bet on every example, mixed with equal weights."""
_LARGEST_LOG = 700.0
"""Beyond its exponential no double holds the evidence."""


@dataclass(frozen=True)
class SequentialResult:
    """What a sequential test has found so far.

    Args:
        n: Examples that were compared.
        difference: The mean of b less a, in [-1, 1].
        e_value: The evidence that b is better: its largest value so far is at least 1/α with a
            probability of at most α when b is not better.
        p_value: 1 over the largest evidence so far, at most 1; valid whenever somebody looks.
        is_better: Whether b was shown to be better.
        is_worse: Whether b was shown to be worse.

    Example:
        >>> PairedSequentialTest().update([1, 1, 0, 1]).result.is_better
        False
    """

    n: int
    difference: float
    e_value: float
    p_value: float
    is_better: bool
    is_worse: bool

    @property
    def is_decided(self) -> bool:
        """Whether no further example is needed."""
        return self.is_better or self.is_worse


class PairedSequentialTest:
    """A one-sided test of b against a on common examples, in both directions at once.

    Bets are made on the differences d of the examples, each in [-1, 1]: with a stake λ in (0, 1)
    the wealth Π(1 + λ d) is a non-negative supermartingale when the mean of d is at most 0, and so
    is the mean of the wealths of several stakes. By Ville's inequality it reaches 1/α with a
    probability of at most α, however often it is looked at (Waudby-Smith & Ramdas 2024,
    "Estimating means of bounded random variables by betting"; for right and wrong answers it is
    the sequential form of McNemar's test).

    Args:
        alpha: The greatest probability of a false "better", and of a false "worse".

    Raises:
        InputError: For an ``alpha`` that is not between 0 and 1, and by `update` for a difference
            that is no number from -1 to 1.

    Example:
        >>> test = PairedSequentialTest(alpha=0.05)
        >>> test.update([1, 0, 1, 1, 1, 1, 1, 1]).result.is_better
        True
    """

    def __init__(self, alpha: float = 0.05) -> None:
        if not 0 < alpha < 1:
            raise InputError(f"alpha must lie between 0 and 1; found {alpha}")
        self.alpha = alpha
        self._n, self._sum = 0, 0.0
        self._better, self._worse = _Wealth(), _Wealth()

    def update(self, differences: Iterable[float]) -> PairedSequentialTest:
        """Take in the differences of further examples, in their order.

        Args:
            differences: What b has more than a, from -1 to 1 an example.

        Returns:
            The test itself.
        """
        values = np.array([float(value) for value in differences])
        outside = values[~((values >= -1) & (values <= 1))]  # also what is no number
        if len(outside):
            raise InputError(f"a difference must lie between -1 and 1; found {outside[0]}")
        if len(values):
            self._n, self._sum = self._n + len(values), self._sum + float(values.sum())
            self._better.bet(values)
            self._worse.bet(-values)
        return self

    @property
    def result(self) -> SequentialResult:
        """What is known by now."""
        return SequentialResult(
            n=self._n,
            difference=self._sum / self._n if self._n else 0.0,
            e_value=self._better.value,
            p_value=min(1.0, 1 / self._better.largest),
            is_better=self._better.largest >= 1 / self.alpha,
            is_worse=self._worse.largest >= 1 / self.alpha,
        )


class _Wealth:
    """What bets on positive differences have come to, from 1."""

    def __init__(self) -> None:
        self._logs: Float[np.ndarray, " stake"] = np.zeros(len(_STAKES))
        self.value = self.largest = 1.0

    def bet(self, differences: Float[np.ndarray, " example"]) -> None:
        """Win or lose by one difference after the other."""
        steps = self._logs + np.log1p(np.outer(differences, _STAKES)).cumsum(axis=0)
        wealth = np.exp(np.minimum(_mean_wealth(steps), _LARGEST_LOG))
        self._logs = steps[-1]
        self.value, self.largest = float(wealth[-1]), max(self.largest, float(wealth.max()))


def _mean_wealth(logs: Float[np.ndarray, "row stake"]) -> Float[np.ndarray, " row"]:
    """The logarithm of the mean over the stakes."""
    top = logs.max(axis=1)
    found: Float[np.ndarray, " row"] = np.log(np.exp(logs - top[:, None]).mean(axis=1)) + top
    return found


def paired_differences(a: Predictions, b: Predictions, signal: Signal = "accuracy") -> list[float]:
    """What b has more than a on every example that both have answered, in the order of a.

    The probability of the right label says more about an example than whether it came first, so
    that fewer examples decide; but a gain in it need not be one in accuracy.

    Args:
        a: The predictions of the one, with targets.
        b: Those of the other.
        signal: *accuracy* (-1, 0 or 1), or *probability* of the right label.

    Returns:
        Differences in [-1, 1].

    Raises:
        InputError: For rows without a target, and for *probability* where a label was not scored.

    Example:
        >>> from promptlab.evaluation.predictions import Prediction
        >>> a = Predictions([Prediction("1", "yes", "no"), Prediction("2", "yes", "yes")])
        >>> b = Predictions([Prediction("1", "no", "no"), Prediction("2", "yes", "yes")])
        >>> paired_differences(a, b)
        [1.0, 0.0]
    """
    a, b = answered_by_both(a, b)
    values = [_signal_values(rows, signal) for rows in (a, b)]
    return [after - before for before, after in zip(*values, strict=True)]


def _signal_values(rows: Predictions, signal: Signal) -> Sequence[float]:
    if None in rows.targets:
        raise InputError("predictions are compared by their targets, and some have none")
    if signal == "accuracy":
        return [float(right) for right in rows.correct]
    values = []
    for row in rows:
        score = None if row.scores is None else row.scores.get(str(row.target))
        if score is None or math.isnan(score):
            raise InputError(
                f"example {row.example_id!r} has no probability of its right label; compare by "
                "accuracy, or take predictors that score labels"
            )
        values.append(math.exp(min(0.0, score)))
    return values


def examples_to_decide(
    gain: float, discordance: float, *, alpha: float = 0.05, power: float = 0.8, most: int = 5_000,
    runs: int = 400, seed: int = 13,
) -> int | None:  # fmt: skip
    """How many examples show a gain in accuracy in ``power`` of all runs, by simulation.

    Args:
        gain: The true difference of accuracies, above 0.
        discordance: The share of examples on which the two differ, at least ``gain``.
        alpha: That of the test.
        power: The share of runs that are to find the gain.
        most: Examples at most.
        runs: Simulated runs.
        seed: Of the simulation.

    Returns:
        The number, or ``None`` when ``most`` examples do not suffice.

    Raises:
        InputError: For a gain that is not above 0 or above the discordance.

    Example:
        >>> examples_to_decide(0.5, 0.6) < examples_to_decide(0.2, 0.6)
        True
    """
    if not 0 < gain <= discordance <= 1:
        raise InputError(
            f"a gain lies above 0 and is at most the discordance; found {gain} and {discordance}"
        )
    random = np.random.default_rng(seed)
    wins, losses = (discordance + gain) / 2, (discordance - gain) / 2
    drawn = random.choice([1.0, -1.0, 0.0], size=(runs, most), p=[wins, losses, 1 - discordance])
    moments = np.sort(_moments_of_decision(drawn, alpha))
    needed = float(moments[math.ceil(power * runs) - 1])
    return int(needed) if math.isfinite(needed) else None


def _moments_of_decision(
    differences: Float[np.ndarray, "run example"], alpha: float
) -> Float[np.ndarray, " run"]:
    """After how many examples every run decides for b; infinity: never."""
    runs, most = differences.shape
    logs = np.zeros((runs, len(_STAKES)))
    moments = np.full(runs, math.inf)
    for place in range(most):
        logs += np.log1p(np.outer(differences[:, place], _STAKES))
        decided = _mean_wealth(logs) >= math.log(1 / alpha)
        moments[decided & np.isinf(moments)] = place + 1
        if np.isfinite(moments).all():
            break
    return moments
