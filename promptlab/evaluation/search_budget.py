"""How large a gain a search for a better prompt can show, before it is paid for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from promptlab.data.task import Task
from promptlab.errors import InputError

FEW = 10
"""Fewer proposals are little more than a draw."""
_RUNS = 2_000
"""Simulated searches for one gain; their power is then known to about one point."""
_GAINS = range(1, 61)
"""Points that are tried, from the smallest."""


@dataclass(frozen=True)
class SearchBudget:
    """A search for a better prompt: what is written, on how much it is judged and tested.

    Args:
        proposals: Prompts that are written and judged on dev, of which the best is tested.
        dev: Examples that choose.
        test: Examples that test the chosen one against the given prompt.
        discordance: The share of examples on which two prompts differ.
        alpha: The level of the exact McNemar test on test.

    Raises:
        InputError: For a number of examples or proposals below 1, or a share outside (0, 1].

    Example:
        >>> SearchBudget(proposals=12, dev=200, test=544).detectable_gain()
        0.08
    """

    proposals: int
    dev: int
    test: int
    discordance: float = 0.25
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if min(self.proposals, self.dev, self.test) < 1:
            raise InputError("a search needs proposals, dev examples and test examples")
        if not 0 < self.discordance <= 1:
            raise InputError(f"the discordance lies in (0, 1]; found {self.discordance}")

    def power(self, gain: float, seed: int = 13) -> float:
        """The share of searches that find the one prompt which is better by ``gain``.

        All others are as good as the given one. It is found when dev chooses it and test shows it;
        dev scores are drawn from their normal approximation.

        Args:
            gain: The true difference of accuracies, at most 1.
            seed: Of the simulation.

        Returns:
            A share of simulated searches.

        Example:
            >>> budget = SearchBudget(proposals=12, dev=200, test=400)
            >>> budget.power(0.02) < budget.power(0.15)
            True
        """
        chance = np.random.default_rng(seed)
        # Any two prompts differ on the same share of examples: half of it is each one's own.
        spread = math.sqrt(self.dev * self.discordance / 2)
        scores = chance.normal(0.0, spread, size=(_RUNS, self.proposals + 1))
        scores[:, 0] += self.dev * gain
        is_chosen = scores.argmax(axis=1) == 0
        return float((is_chosen & self._is_shown(chance, gain)).mean())

    def detectable_gain(self, power: float = 0.8) -> float | None:
        """The smallest gain, in whole points, that is found in ``power`` of all searches.

        Args:
            power: The share of searches.

        Returns:
            A difference of accuracies; ``None`` when even 60 points are missed more often.
        """
        return next((p / 100 for p in _GAINS if self.power(p / 100) >= power), None)

    def false_claims(self, seed: int = 13) -> float:
        """The share of searches that call a prompt better when all are equally good.

        Args:
            seed: Of the simulation.

        Returns:
            A share of simulated searches, at most about half of ``alpha``: test chose nothing.
        """
        return float(self._is_shown(np.random.default_rng(seed), 0.0).mean())

    def _shares(self, gain: float) -> tuple[float, float, float]:
        """Of examples that the better one wins, that it loses, and on which both agree."""
        differ = max(self.discordance, abs(gain))
        return (differ + gain) / 2, (differ - gain) / 2, 1 - differ

    def _is_shown(self, chance: np.random.Generator, gain: float) -> Bool[np.ndarray, " run"]:
        """Whether McNemar's exact test shows a gain on test."""
        from scipy.stats import binom

        drawn = chance.multinomial(self.test, self._shares(gain), size=_RUNS)
        wins, losses = drawn[:, 0], drawn[:, 1]
        p_values: Float[np.ndarray, " run"] = 2 * binom.cdf(losses, wins + losses, 0.5)
        found: Bool[np.ndarray, " run"] = (wins > losses) & (p_values < self.alpha)
        return found


def announce_budget(proposals: int, task: Task) -> str:
    """What a budget buys, in words, before it is spent."""
    judged, tested = len(task.dev), len(task.test)
    gain = SearchBudget(proposals, judged, tested).detectable_gain()
    found = (
        f"even one that is better by 60 points would be missed on {tested} test examples"
        if gain is None
        else f"one that is better by {100 * gain:.0f} points is found, and shown on {tested} test "
        "examples, in four of five cases"
    )
    text = (
        f"{proposals} instructions will be written, each judged on at most {judged} dev examples "
        f"({proposals * judged:,} judgements); {found}, if any two differ on a quarter of the "
        "answers"
    )
    if proposals < FEW:
        text += f"; fewer than {FEW} proposals are little more than a draw"
    return text
