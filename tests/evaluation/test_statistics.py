"""Statistics against scipy, statsmodels, published figures and cases worked by hand."""

from __future__ import annotations

import math
import random
from functools import cache

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.evaluation.statistics import (
    bootstrap_interval,
    bootstrap_interval_of,
    holm,
    majority_baseline,
    majority_label,
    mcnemar_exact,
    paired_bootstrap,
    paired_bootstrap_of,
    wilson_interval,
)


def columns(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Two columns of right and wrong with the given counts."""
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return a, b


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (81, 263), (10, 10), (1, 1)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_equals_statsmodels(successes: int, n: int, level: float) -> None:
    from statsmodels.stats.proportion import proportion_confint

    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert wilson_interval(successes, n, level) == pytest.approx(expected, abs=1e-9)


def test_wilson_published_figures_and_limits() -> None:
    # Newcombe 1998 (Statistics in Medicine 17:857-872), table I: 81 of 263, 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(InputError, match="not possible"):
        wilson_interval(3, 2)
    with pytest.raises(InputError, match="level"):
        wilson_interval(1, 2, 95)


def test_bootstrap_interval_is_near_the_normal_one_and_repeatable() -> None:
    draw = random.Random(3)
    values = [draw.gauss(0.4, 0.1) for _ in range(400)]
    mean = sum(values) / len(values)
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
    low, high = bootstrap_interval(values, seed=1)
    assert (low, high) == pytest.approx((mean - 1.96 * error, mean + 1.96 * error), abs=error / 5)
    assert bootstrap_interval(values, seed=1) == (low, high)
    narrow = bootstrap_interval(values, seed=1, level=0.5)
    assert low < narrow[0] < mean < narrow[1] < high


def test_bootstrap_interval_of_equal_and_of_wrong_values() -> None:
    assert bootstrap_interval([0.5, 0.5], seed=0) == (0.5, 0.5)
    assert bootstrap_interval([0.25], seed=0) == (0.25, 0.25)
    with pytest.raises(InputError, match="finite"):
        bootstrap_interval([], seed=0)
    with pytest.raises(InputError, match="finite"):
        bootstrap_interval([0.1, math.nan], seed=0)


@pytest.mark.parametrize("counts", [(50, 9, 1, 40), (3, 0, 0, 3), (10, 5, 5, 0), (0, 30, 12, 7)])
def test_mcnemar_equals_statsmodels(counts: tuple[int, int, int, int]) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    both, only_a, only_b, neither = counts
    found = mcnemar_exact(*columns(*counts))
    expected = mcnemar([[both, only_a], [only_b, neither]], exact=True).pvalue
    assert found.p_value == pytest.approx(min(1.0, float(expected)))
    assert found.n_discordant == only_a + only_b
    assert found.difference == pytest.approx((only_a - only_b) / sum(counts))
    assert found.test == "mcnemar_exact"


def test_mcnemar_by_hand() -> None:
    found = mcnemar_exact(*columns(20, 6, 1, 3))
    assert found.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    # Bonett & Price: 7/32 - 2/32 with standard error sqrt((9/32 - (5/32)^2) / 32)
    reach = 1.959964 * math.sqrt((9 / 32 - (5 / 32) ** 2) / 32)
    assert found.ci95 == pytest.approx((5 / 32 - reach, 5 / 32 + reach), abs=1e-6)


def test_mcnemar_of_equal_and_opposite_predictors() -> None:
    same = mcnemar_exact([True, False], [True, False])
    assert (same.p_value, same.n_discordant, same.difference) == (1.0, 0, 0.0)
    assert same.ci95[0] < 0 < same.ci95[1]
    opposite = mcnemar_exact([True] * 20, [False] * 20)
    assert opposite.p_value == pytest.approx(2 / 2**20)
    assert opposite.ci95[1] <= 1.0
    with pytest.raises(InputError, match="same examples"):
        mcnemar_exact([True], [])
    with pytest.raises(InputError, match="no examples"):
        mcnemar_exact([], [])


def test_mcnemar_false_alarms_stay_below_the_nominal_rate() -> None:
    draw = random.Random(11)
    p_value = cache(lambda a, b: mcnemar_exact(*columns(1, a, b, 0)).p_value)
    trials, alarms, strict = 4000, 0, 0
    for _ in range(trials):
        only_a = only_b = 0
        for _ in range(60):  # two predictors, each right 7 times in 10, independently
            a, b = draw.random() < 0.7, draw.random() < 0.7
            only_a += a and not b
            only_b += b and not a
        p = p_value(only_a, only_b)
        alarms += p < 0.05
        strict += p < 0.01
    assert 0.01 < alarms / trials <= 0.05
    assert strict / trials <= 0.01


def test_mcnemar_interval_covers_the_true_difference() -> None:
    draw = random.Random(5)
    trials, covered = 800, 0
    for _ in range(trials):
        a = [draw.random() < 0.8 for _ in range(80)]
        b = [draw.random() < 0.6 for _ in range(80)]
        low, high = mcnemar_exact(a, b).ci95
        covered += low <= 0.2 <= high
    assert 0.93 <= covered / trials <= 0.98


def test_paired_bootstrap_agrees_with_the_t_test() -> None:
    from scipy.stats import ttest_rel

    draw = random.Random(7)
    a = [draw.gauss(0.53, 0.2) for _ in range(300)]
    b = [x - draw.gauss(0.02, 0.15) for x in a]
    found = paired_bootstrap(a, b, seed=2)
    expected = ttest_rel(a, b)
    assert found.p_value == pytest.approx(float(expected.pvalue), abs=0.01)
    interval = expected.confidence_interval(0.95)
    assert found.ci95 == pytest.approx((interval.low, interval.high), abs=0.002)
    assert found.difference == pytest.approx(sum(a) / 300 - sum(b) / 300)
    assert paired_bootstrap(a, b, seed=2) == found
    assert paired_bootstrap(b, a, seed=2).p_value == pytest.approx(found.p_value, abs=0.01)


def test_paired_bootstrap_of_few_or_equal_values() -> None:
    assert paired_bootstrap([0.5, 1.0], [0.5, 1.0], seed=0).p_value == 1.0
    assert paired_bootstrap([1.0], [0.0], seed=0).p_value == 1.0
    three = paired_bootstrap([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], seed=0)
    assert three.p_value == 0.25
    assert three.n_discordant == 3
    with pytest.raises(InputError, match="same examples"):
        paired_bootstrap([1.0], [1.0, 2.0], seed=0)


def test_paired_bootstrap_false_alarms() -> None:
    draw = random.Random(13)
    trials, alarms = 400, 0
    for number in range(trials):
        a = [draw.random() for _ in range(60)]
        b = [draw.random() for _ in range(60)]
        alarms += paired_bootstrap(a, b, seed=number, resamples=499).p_value < 0.05
    assert alarms / trials <= 0.08  # 5 % and three standard errors


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, then the running maximum.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(InputError, match="between 0 and 1"):
        holm([0.1, math.nan])


def test_majority() -> None:
    train = [Example("1", {}, "b"), Example("2", {}, "a"), Example("3", {}, "b")]
    test = [Example("4", {}, "a"), Example("5", {}, "b"), Example("6", {}, None)]
    assert majority_label(train) == "b"
    assert majority_label([*train, Example("7", {}, "a")]) == "a"
    predictions = majority_baseline(train, test)
    assert predictions.labels == ["b", "b", "b"]
    assert predictions.correct == [False, True, False]
    assert [row.example_id for row in predictions] == ["4", "5", "6"]
    with pytest.raises(InputError, match="none of the examples"):
        majority_label(test[2:])


def test_the_majority_control_has_a_ranking() -> None:
    from promptlab.evaluation.metrics import get_metric

    train = [Example(str(i), {}, label) for i, label in enumerate("aabbbc")]
    rows = majority_baseline(train, [Example("x", {}, "a"), Example("y", {}, "b")])
    assert get_metric("precision_at_1").compute(rows) == 0.5
    assert get_metric("precision_at_2").compute(rows) == 1.0


def test_a_corpus_metric_that_is_a_mean_is_tested_like_a_mean() -> None:
    random = np.random.default_rng(1)
    a, b = random.random(40), random.random(40)
    counts = [[[value, 1.0] for value in side] for side in (a, b)]

    def mean(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1]

    found = paired_bootstrap_of(counts[0], counts[1], mean, 3)
    plain = paired_bootstrap(list(a), list(b), 3)
    assert found.difference == pytest.approx(plain.difference)
    assert found.n_discordant == plain.n_discordant == 40
    assert found.p_value == pytest.approx(plain.p_value, abs=0.02)
    assert found.ci95 == pytest.approx(plain.ci95, abs=0.02)
    low, high = bootstrap_interval_of(counts[0], mean, 3)
    assert low < a.mean() < high
    assert high - low == pytest.approx(3.92 * a.std() / 40**0.5, rel=0.1)
    same = paired_bootstrap_of(counts[0], counts[0], mean, 3)
    assert (same.p_value, same.difference, same.n_discordant) == (1.0, 0.0, 0)


def test_a_difference_of_f1_is_found_and_chance_is_not() -> None:
    better = [[3.0, 4.0, 4.0]] * 20 + [[1.0, 2.0, 4.0]] * 20
    worse = [[2.0, 4.0, 4.0]] * 20 + [[0.0, 2.0, 4.0]] * 20

    def f1(sums: np.ndarray) -> np.ndarray:
        return 2 * sums[..., 0] / (sums[..., 1] + sums[..., 2])

    assert paired_bootstrap_of(better, worse, f1, 5).p_value < 0.01
    assert paired_bootstrap_of(better, better[::-1], f1, 5).p_value > 0.5
