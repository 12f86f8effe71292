"""Intervals, paired tests and controls: what a study needs to be honest.

Intervals are two-sided; proportions, differences and levels are fractions, not per cent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions

if TYPE_CHECKING:
    import numpy as np

Counts = Sequence[Sequence[float]]
"""Counts of every example whose sums give a corpus metric."""
OfSums = Callable[[Any], Any]
"""A corpus metric from sums of counts, the counts along the last axis."""
Interval = tuple[float, float]

_DRAWN_AT_ONCE = 4_000_000  # numbers: 32 MB of doubles


@dataclass(frozen=True)
class Comparison:
    """A paired comparison of predictor a with predictor b on the same examples.

    ``difference`` is a's mean minus b's and ``ci95`` its 95 % interval; ``n_discordant`` counts
    the examples on which the two differ; ``p_value`` is two-sided. ``n`` counts the examples that
    were compared (of a text that repeats, one), ``measure`` names what was.
    """

    test: str
    p_value: float
    n_discordant: int
    difference: float
    ci95: Interval
    n: int = 0
    measure: str = "accuracy"

    def record(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {"ci95": list(self.ci95)}


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a proportion (Wilson 1927; recommended by Brown, Cai & DasGupta 2001).

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), by scipy. With n = 0 nothing is
    known: (0, 1).
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= n:
        raise InputError(f"wilson_interval: {successes} successes of {n} are not possible")
    check_level(level)
    if n == 0:
        return (0.0, 1.0)
    interval = binomtest(successes, n).proportion_ci(confidence_level=level, method="wilson")
    return (float(interval.low), float(interval.high))


def wilson_interval_of_share(share: float, n: float, level: float = 0.95) -> Interval:
    """`wilson_interval` of a share among ``n`` examples, which need be no whole number.

    An effective number of examples is none.
    """
    if n == 0:
        return (0.0, 1.0)
    if n == int(n) and abs(share * n - round(share * n)) < 1e-9:
        return wilson_interval(round(share * n), int(n), level)
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + level / 2))
    centre = share + z * z / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (
        max(0.0, (centre - reach) / (1 + z * z / n)),
        min(1.0, (centre + reach) / (1 + z * z / n)),
    )


def bootstrap_interval(
    values: Sequence[float], seed: int, *, level: float = 0.95, resamples: int = 9999
) -> Interval:
    """Bias-corrected accelerated bootstrap interval of the mean (BCa; Efron 1987), by scipy.

    For metrics that are means of values other than 0 and 1. Equal values, hence one value alone,
    give an interval of width zero: the bootstrap cannot see further than its sample.
    """
    import numpy as np
    from scipy.stats import bootstrap

    check_level(level)
    sample = _finite("bootstrap_interval", values)
    if np.ptp(sample) == 0:
        return (float(sample[0]), float(sample[0]))
    interval = bootstrap(
        (sample,),
        np.mean,
        confidence_level=level,
        n_resamples=resamples,
        batch=max(1, _DRAWN_AT_ONCE // len(sample)),
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return (float(interval.low), float(interval.high))


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Student's interval of the mean of a few independent runs: mean ± t(n - 1) s/√n, by scipy.

    For values of several seeds, whose spread is unknown. Raises `InputError` for fewer than two.
    """
    from scipy.stats import t

    check_level(level)
    sample = _finite("t_interval", values)
    if len(sample) < 2:
        raise InputError("t_interval: the spread of one value is unknown; give at least two")
    mean = float(sample.mean())
    reach = float(t.ppf(0.5 + level / 2, len(sample) - 1) * sample.std(ddof=1)) / len(sample) ** 0.5
    return (mean - reach, mean + reach)


def mcnemar_exact(a_correct: Sequence[bool], b_correct: Sequence[bool]) -> Comparison:
    """Exact McNemar test of two classifiers on the same examples (McNemar 1947, exact form).

    Given the discordant examples, those that a alone has right are Binomial(n_discordant, 1/2)
    when the two are equally good; the p-value is scipy's two-sided binomial test. The interval is
    the adjusted Wald interval of Bonett & Price 2012 on the two discordant counts x:
    p̃ = (x + 1)/(n + 2) for a and b,
    p̃a - p̃b ± z √((p̃a + p̃b - (p̃a - p̃b)²)/(n + 2)). The test is exact and the interval
    approximate, so that close to the limit they may disagree.
    """
    from scipy.stats import binomtest

    n = _paired("mcnemar_exact", a_correct, b_correct)
    only_a = sum(bool(a) and not b for a, b in zip(a_correct, b_correct, strict=True))
    only_b = sum(bool(b) and not a for a, b in zip(a_correct, b_correct, strict=True))
    discordant = only_a + only_b
    p_value = float(binomtest(only_a, discordant, 0.5).pvalue) if discordant else 1.0
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_a - share_b
    reach = _Z95 * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    interval = (max(-1.0, centre - reach), min(1.0, centre + reach))
    return Comparison("mcnemar_exact", p_value, discordant, (only_a - only_b) / n, interval, n)


def paired_bootstrap(
    values_a: Sequence[float], values_b: Sequence[float], seed: int, *, resamples: int = 9999
) -> Comparison:
    """Paired bootstrap test of two means on the same examples (Efron & Tibshirani 1993, ch. 16).

    The examples' differences d are resampled. The interval is the percentile interval of their
    mean; the p-value is the share of resamples of d - mean(d) whose mean is at least as far from
    0 as mean(d), (1 + count)/(1 + resamples). It is never put below 2^(1 - n_discordant), the
    least that a sign test could give: from three examples nothing is significant.
    """
    import numpy as np

    n = _paired("paired_bootstrap", values_a, values_b)
    name = "paired_bootstrap"
    differences = _finite(name, values_a) - _finite(name, values_b)
    observed = float(differences.mean())
    discordant = int(np.count_nonzero(differences))
    if discordant == 0:
        return Comparison(name, 1.0, 0, 0.0, (0.0, 0.0), n)
    random = np.random.default_rng(seed)
    batch = max(1, _DRAWN_AT_ONCE // n)
    means = np.concatenate(
        [
            differences[random.integers(n, size=(min(batch, resamples - start), n))].mean(axis=1)
            for start in range(0, resamples, batch)
        ]
    )
    # The tolerance keeps equal means equal in spite of rounding.
    extreme = np.count_nonzero(np.abs(means - observed) >= abs(observed) - 1e-12)
    p_value = max((1 + int(extreme)) / (1 + resamples), 2.0 ** (1 - discordant))
    low, high = np.quantile(means, [0.025, 0.975])
    return Comparison(name, min(1.0, p_value), discordant, observed, (float(low), float(high)), n)


def paired_bootstrap_of(
    counts_a: Counts, counts_b: Counts, measure: OfSums, seed: int, *, resamples: int = 9999
) -> Comparison:
    """Paired bootstrap test of two corpus metrics, such as F1, on the same examples.

    Examples are resampled, their counts summed, and ``measure`` taken of the sums. Interval and
    p-value are those of `paired_bootstrap`, with the metric's difference for the mean. The rows of
    a and b have the same counts in the same order.
    """
    import numpy as np

    name = "paired_bootstrap"
    n = _paired(name, counts_a, counts_b)
    both = np.stack([np.asarray(counts_a, dtype=float), np.asarray(counts_b, dtype=float)])
    observed = _difference(measure(both.sum(axis=1)))
    discordant = int(np.any(both[0] != both[1], axis=-1).sum())
    if discordant == 0:
        return Comparison(name, 1.0, 0, 0.0, (0.0, 0.0), n)
    drawn = _resampled(both, resamples, seed)
    differences = _difference(np.moveaxis(measure(drawn), 1, 0))
    extreme = np.count_nonzero(np.abs(differences - observed) >= abs(observed) - 1e-12)
    p_value = max((1 + int(extreme)) / (1 + resamples), 2.0 ** (1 - discordant))
    low, high = np.quantile(differences, [0.025, 0.975])
    limits = (float(low), float(high))
    return Comparison(name, min(1.0, p_value), discordant, float(observed), limits, n)


def bootstrap_interval_of(
    counts: Counts, measure: OfSums, seed: int, *, resamples: int = 9999
) -> Interval:
    """Percentile bootstrap interval at 95 % of a corpus metric, examples resampled."""
    import numpy as np

    drawn = _resampled(np.asarray(counts, dtype=float)[None], resamples, seed)
    low, high = np.quantile(measure(drawn)[:, 0], [0.025, 0.975])
    return (float(low), float(high))


def _resampled(counts: Any, resamples: int, seed: int) -> Any:
    """Sums over resampled examples ``[resample, side, count]`` of ``[side, example, count]``."""
    import numpy as np

    random = np.random.default_rng(seed)
    n = counts.shape[1]
    batch = max(1, _DRAWN_AT_ONCE // n)
    drawn = []
    for start in range(0, resamples, batch):
        # How often each example is drawn: its counts so many times, all in one product.
        size = min(batch, resamples - start)
        times = random.multinomial(n, np.full(n, 1 / n), size=size).astype(float)
        drawn.append(np.einsum("rn,snc->rsc", times, counts, optimize=True))
    return np.concatenate(drawn)


def _difference(pair: Any) -> Any:
    return pair[0] - pair[1]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the given order (Holm 1979), by statsmodels.

    The i-th smallest of m becomes max over j ≤ i of (m - j + 1) p(j), at most 1: comparing them
    with 0.05 keeps the chance of any false claim on the leaderboard at 5 %.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise InputError(f"holm: p-values lie between 0 and 1; found {list(p_values)}")
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def majority_label(examples: Sequence[Example]) -> str:
    """The most frequent label; of several, the first in alphabetical order."""
    return _by_frequency(examples)[0]


def _by_frequency(examples: Sequence[Example]) -> list[str]:
    """The labels, the most frequent first."""
    counts = Counter(example.label for example in examples if example.label is not None)
    if not counts:
        raise InputError("majority label: none of the examples has a label")
    return sorted(counts, key=lambda label: (-counts[label], label))


def majority_baseline(train: Sequence[Example], examples: Sequence[Example]) -> Predictions:
    """Predict the majority label of ``train`` for every one of ``examples``.

    Every study must beat this control: it knows the labels' shares and nothing else. Its ranking,
    for metrics that want one, are the labels by frequency.
    """
    ranking = _by_frequency(train)
    return Predictions(
        Prediction(example.id, ranking[0], example.label, trace={"ranking": ranking})
        for example in examples
    )


_Z95 = 1.959963984540054  # the normal distribution's 97.5 % quantile


def check_level(level: float) -> None:
    """Raise `InputError` for a confidence level that is no share."""
    if not 0 < level < 1:
        raise InputError(f"the confidence level lies between 0 and 1; found {level}")


def _paired(name: str, a: Sequence[Any], b: Sequence[Any]) -> int:
    """The common length of two columns over the same examples."""
    if len(a) != len(b):
        raise InputError(f"{name}: both must cover the same examples; found {len(a)} and {len(b)}")
    if not len(a):
        raise InputError(f"{name}: there are no examples to compare")
    return len(a)


def _finite(name: str, values: Sequence[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """``values`` as an array, refused when empty or not finite."""
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise InputError(f"{name}: needs a list of finite numbers, at least one")
    return array
