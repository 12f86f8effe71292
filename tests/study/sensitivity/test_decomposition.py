"""The variance of a design's cells, divided: tables worked by hand, noise of known size."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.study.sensitivity.decomposition import divide_variance, level_means, noise_variance


def test_two_by_two_by_hand() -> None:
    """Rows .6 and .8 (grand mean .7), columns .55 and .85, interaction 0."""
    cells = np.array([[0.45, 0.75], [0.65, 0.95]])
    parts = divide_variance(cells, 2)
    assert parts.main == pytest.approx([0.1**2, 0.15**2])
    assert parts.interactions == pytest.approx(0.0)
    assert parts.whole == pytest.approx(0.0325)
    assert parts.total == pytest.approx(parts.main)  # without interactions total is first order


def test_two_by_two_of_interaction_alone_by_hand() -> None:
    """All level means are .5; what differs is the combination."""
    parts = divide_variance(np.array([[0.4, 0.6], [0.6, 0.4]]), 2)
    assert parts.main == pytest.approx([0.0, 0.0])
    assert (parts.interactions, parts.whole) == pytest.approx((0.01, 0.01))
    assert parts.total == pytest.approx([0.01, 0.01])


def test_two_by_three_with_interaction_by_hand() -> None:
    """Rows .5, .7; columns .5, .6, .7; grand .6.

    Additive cells would be .4 .5 .6 / .6 .7 .8; the table adds +.06, -.06, 0 to the first row and
    takes them from the second: interaction variance (4 · .0036)/6 = .0024.
    """
    cells = np.array([[0.46, 0.44, 0.6], [0.54, 0.76, 0.8]])
    parts = divide_variance(cells, 2)
    assert level_means(cells, 0, 2) == pytest.approx([0.5, 0.7])
    assert level_means(cells, 1, 2) == pytest.approx([0.5, 0.6, 0.7])
    assert parts.main == pytest.approx([0.01, 0.02 / 3])
    assert parts.interactions == pytest.approx(0.0024)
    assert parts.whole == pytest.approx(0.01 + 0.02 / 3 + 0.0024)
    assert parts.total == pytest.approx([0.01 + 0.0024, 0.02 / 3 + 0.0024])


def test_three_factors_against_sums_of_squares() -> None:
    """The plain sums over cells, as an ANOVA table has them, divided by the number of cells."""
    cells = np.random.default_rng(3).random((2, 3, 4))
    parts = divide_variance(cells, 3)
    grand = cells.mean()
    for factor in range(3):
        means = np.moveaxis(cells, factor, 0).reshape(cells.shape[factor], -1).mean(axis=1)
        squares = sum((cells.size / len(means)) * (mean - grand) ** 2 for mean in means)
        assert parts.main[factor] == pytest.approx(squares / cells.size)
    assert parts.whole == pytest.approx(((cells - grand) ** 2).mean())
    resampled = divide_variance(np.stack([cells, cells / 2]), 3)
    assert resampled.main[0] == pytest.approx(parts.main)
    assert resampled.main[1] == pytest.approx(parts.main / 4)
    assert resampled.interactions[0] == pytest.approx(parts.interactions)


def test_one_factor_alone() -> None:
    parts = divide_variance(np.array([0.2, 0.4]), 1)
    assert (parts.main[0], parts.total[0], parts.interactions) == pytest.approx((0.01, 0.01, 0))


def test_noise_by_hand() -> None:
    """Two levels, four examples: contrasts are (±.5, ∓.5, 0, 0), of variance 1/6, over n = 4."""
    values = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    noise = noise_variance(values)
    assert (noise.whole, noise.main[0], noise.total[0]) == pytest.approx((1 / 24,) * 3)


def test_examples_on_which_all_prompts_agree_are_no_noise() -> None:
    hard = np.tile([0.0, 1.0, 1.0, 0.0], (2, 3, 1))
    noise = noise_variance(hard)
    assert noise.whole == pytest.approx(0) and noise.main == pytest.approx([0, 0])


def test_the_noise_is_what_samples_add() -> None:
    """True accuracies are known; over many samples the observed variance less its noise is true."""
    truth = np.array([[0.5, 0.6, 0.55], [0.7, 0.75, 0.6]])
    true = divide_variance(truth, 2)
    random = np.random.default_rng(0)
    n, repeats = 40, 3000
    observed, noises = [], []
    for _ in range(repeats):
        # Hard and easy examples: all prompts share them, so that cells are correlated.
        easy = random.random(n)[None, None] * 0.3 - 0.15
        values = (random.random((2, 3, n)) < truth[..., None] + easy).astype(float)
        found, noise = divide_variance(values.mean(axis=-1), 2), noise_variance(values)
        observed.append([found.whole, *found.main, found.interactions, *found.total])
        noises.append([noise.whole, *noise.main, noise.interactions, *noise.total])
    expected = [true.whole, *true.main, true.interactions, *true.total]
    raw, corrected = np.mean(observed, axis=0), np.mean(np.subtract(observed, noises), axis=0)
    error = np.std(np.subtract(observed, noises), axis=0) / repeats**0.5
    assert (np.abs(corrected - expected) < 4 * error).all(), (corrected, expected, error)
    assert (raw - expected > 10 * error)[[0, 3]].all()  # without the correction they are too large
