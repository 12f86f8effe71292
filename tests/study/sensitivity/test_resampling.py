"""Bootstrap, shuffled levels, halves and Kendall's tau against plain ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from promptlab.study.sensitivity.resampling import (
    bootstrap_cells,
    kendall_tau,
    shuffle_levels,
    split_halves,
)


def test_kendalls_tau_is_scipys() -> None:
    random = np.random.default_rng(1)
    one, other = (random.integers(0, 4, (50, 5)).astype(float) for _ in range(2))
    found = kendall_tau(one, other)
    for row, (a, b) in enumerate(zip(one, other, strict=True)):
        expected = kendalltau(a, b).statistic
        assert found[row] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(kendall_tau(np.ones(3), np.arange(3.0)))


def test_a_bootstrap_resamples_the_examples_of_all_cells_alike() -> None:
    values = np.random.default_rng(2).random((2, 3, 30))
    drawn = bootstrap_cells(values, seed=5, resamples=4000)
    assert drawn.shape == (4000, 2, 3)
    assert drawn.mean(axis=0) == pytest.approx(values.mean(axis=-1), abs=0.01)
    expected = values.reshape(6, 30).std(axis=1).reshape(2, 3) / 30**0.5
    assert drawn.std(axis=0) == pytest.approx(expected, rel=0.1)
    same = bootstrap_cells(np.repeat(values[:1], 2, axis=0), seed=5, resamples=50)
    assert np.array_equal(same[:, 0], same[:, 1])  # equal cells stay equal
    assert np.array_equal(drawn, bootstrap_cells(values, seed=5, resamples=4000))


def test_shuffled_levels_keep_every_examples_values() -> None:
    values = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    drawn = shuffle_levels(values, 0, seed=1, shuffles=200)
    assert drawn.shape == (200, 2)
    assert drawn.sum(axis=1) == pytest.approx(np.full(200, 1.0))  # (2 + 1 right answers) / 3
    assert set(np.round(drawn[:, 0], 6)) == {round(1 / 3, 6), round(2 / 3, 6)}


def test_halves_are_disjoint_and_all() -> None:
    values = np.random.default_rng(4).random((3, 11))
    one, other = split_halves(values, seed=2, halves=20)
    assert (5 * one + 6 * other) / 11 == pytest.approx(np.tile(values.mean(axis=1), (20, 1)))
    assert len({row.tobytes() for row in one}) > 10
