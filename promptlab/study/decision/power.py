"""How many examples a difference needs to be seen."""

from __future__ import annotations

import math


def examples_needed(
    difference: float, discordant: float, *, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Examples with which McNemar's test finds a ``difference`` of two accuracies.

    ``discordant`` is the share of examples on which the two differ, at least ``difference``:
    n = (z(1 - α/2) √d + z(power) √(d - δ²))² / δ² (Connor 1987).

    Example:
        >>> examples_needed(0.1, 0.3)
        234
    """
    from scipy.stats import norm

    share = max(discordant, abs(difference))
    first, second = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    root = first * math.sqrt(share) + second * math.sqrt(max(0.0, share - difference**2))
    return math.ceil(root**2 / difference**2)
