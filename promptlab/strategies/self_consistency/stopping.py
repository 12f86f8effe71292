"""When enough answers were sampled: the majority is decided, or is so with high probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial
from typing import Literal

StoppingRule = Literal["none", "certain", "beta", "dirichlet"]


def should_stop(counts: Mapping[str, int], left: int, rule: StoppingRule, threshold: float) -> bool:
    """Whether no more answers are needed; ``left`` could still be sampled.

    *certain*: the leader cannot be caught up with. *beta* and *dirichlet* (Aggarwal et al. 2023)
    stop as well once the leader stays ahead with a probability above ``threshold``.
    """
    if rule == "none" or not counts:
        return False
    order = sorted(counts.values(), reverse=True)
    second = order[1] if len(order) > 1 else 0
    if order[0] - second > left:
        return True
    if rule == "certain":
        return False
    probability = (
        beta_confidence(order[0], second) if rule == "beta" else dirichlet_confidence(order)
    )
    return probability > threshold


def beta_confidence(first: int, second: int) -> float:
    """The posterior probability that an answer seen ``first`` times is likelier than another one.

    Both are all there is: p ~ Beta(first + 1, second + 1), P(p > 1/2), exact: the probability of
    at most ``first`` heads among first + second + 1 tosses of a fair coin.
    """
    tosses = first + second + 1
    return sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses


def dirichlet_confidence(counts: Sequence[int]) -> float:
    """The posterior probability that the most frequent answer is the likeliest one.

    Answers seen ``counts`` times, and one that was not seen yet, have Dirichlet(counts + 1)
    probabilities. Exact: they compare like independent Gamma variables of integer shapes, whose
    distribution functions are 1 - exp(-x) times a polynomial, so the integral is a finite sum.
    """
    leader, *others = sorted((*counts, 0), reverse=True)
    return _largest(leader + 1, tuple(count + 1 for count in others))


@lru_cache(maxsize=65536)
def _largest(shape: int, others: tuple[int, ...]) -> float:
    """P(G > all others) for independent G ~ Gamma(shape) and Gamma(other)."""
    # terms[s][k] is the coefficient of exp(-s x) x^k in the product of distribution functions
    terms: dict[int, dict[int, Fraction]] = {0: {0: Fraction(1)}}
    for other in others:
        product = {s: dict(powers) for s, powers in terms.items()}
        for s, powers in terms.items():
            for k, value in powers.items():
                row = product.setdefault(s + 1, {})
                for power in range(other):
                    row[k + power] = row.get(k + power, Fraction(0)) - value / factorial(power)
        terms = product
    total = Fraction(0)
    for s, powers in terms.items():
        for k, value in powers.items():
            moments = Fraction(factorial(shape - 1 + k), factorial(shape - 1))
            total += value * moments / Fraction(s + 1) ** (shape + k)
    return float(total)
