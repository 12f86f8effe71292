"""Statistics of examples whose texts repeat: every different text counts once.

``texts`` gives the text of an example, row by row, as anything hashable; equal means repeated.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from promptlab.errors import InputError
from promptlab.evaluation.statistics import (
    Interval,
    bootstrap_interval_of,
    check_level,
    wilson_interval_of_share,
)

Texts = Sequence[Hashable]


def n_distinct(texts: Texts) -> int:
    """How many different texts there are."""
    return len(set(texts))


def text_means(values: Sequence[float], texts: Texts) -> list[float]:
    """One value a text, the mean of its rows, in the order of first appearance.

    Example:
        >>> text_means([1.0, 0.0, 1.0], ["a", "b", "a"])
        [1.0, 0.0]
    """
    _check(values, texts)
    groups: dict[Hashable, list[float]] = {}
    for text, value in zip(texts, values, strict=True):
        groups.setdefault(text, []).append(value)
    # Equal rows give their very value, so that equal texts stay equal.
    return [
        group[0] if min(group) == max(group) else math.fsum(group) / len(group)
        for group in groups.values()
    ]


def mean_counts(counts: Sequence[Sequence[float]], texts: Texts) -> list[tuple[float, ...]]:
    """One row of counts a text, the mean of its rows'."""
    columns = [text_means(column, texts) for column in zip(*counts, strict=True)]
    return list(zip(*columns, strict=True))


def proportion_interval(right: Sequence[bool], texts: Texts, level: float = 0.95) -> Interval:
    """Wilson interval of the share of rows that are right, their texts independent, not the rows.

    The rows of a text are a cluster. With m(t) rows of text t, y(t) of them right, p the share and
    K texts, Var(p) = K/(K - 1) Σ (y(t) - p m(t))² / (Σ m(t))² (ratio estimator), and Wilson's
    interval is taken with the effective number of examples p (1 - p)/Var(p), at most K
    (Korn & Graubard 1998). Without repeats it is Wilson's own interval.
    """
    _check(right, texts)
    sums: dict[Hashable, list[int]] = {}
    for text, is_right in zip(texts, right, strict=True):
        found = sums.setdefault(text, [0, 0])
        found[0] += bool(is_right)
        found[1] += 1
    return clustered_interval(list(sums.values()), level)


def clustered_interval(counts: Sequence[Sequence[int]], level: float = 0.95) -> Interval:
    """`proportion_interval` from each text's counts: how many of its rows are right, and of how
    many.
    """
    check_level(level)
    count, rows = len(counts), sum(m for _, m in counts)
    share = sum(y for y, _ in counts) / rows if rows else 0.0
    if count == rows or share in (0.0, 1.0) or count < 2:
        return wilson_interval_of_share(share, count, level)
    squares = math.fsum((y - share * m) ** 2 for y, m in counts)
    variance = count / (count - 1) * squares / rows**2
    effective = min(float(count), share * (1 - share) / variance) if variance else float(count)
    return wilson_interval_of_share(share, effective, level)


def mean_interval(values: Sequence[float], texts: Texts, seed: int) -> Interval:
    """Percentile bootstrap interval at 95 % of the mean over the rows, texts resampled."""
    _check(values, texts)
    sums: dict[Hashable, list[float]] = {}
    for text, value in zip(texts, values, strict=True):
        found = sums.setdefault(text, [0.0, 0.0])
        found[0] += value
        found[1] += 1
    return bootstrap_interval_of(list(sums.values()), lambda s: s[..., 0] / s[..., 1], seed)


def sum_counts(counts: Sequence[Sequence[float]], texts: Texts) -> list[tuple[float, ...]]:
    """One row of counts a text, the sum of its rows'."""
    _check(counts, texts)
    groups: dict[Hashable, list[Sequence[float]]] = {}
    for text, row in zip(texts, counts, strict=True):
        groups.setdefault(text, []).append(row)
    return [tuple(map(math.fsum, zip(*rows, strict=True))) for rows in groups.values()]


def _check(values: Sequence[object], texts: Texts) -> None:
    if len(values) != len(texts) or not len(values):
        raise InputError(
            f"every row has a value and a text, one row at least; found {len(values)} values and "
            f"{len(texts)} texts"
        )
