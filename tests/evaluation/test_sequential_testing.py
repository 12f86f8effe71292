"""Sequential paired tests: worked by hand, right however often they are looked at."""

from __future__ import annotations

import math

import numpy as np
import pytest

from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.sequential_testing import (
    PairedSequentialTest,
    examples_to_decide,
    paired_differences,
)


def rows(*cells: tuple[str, str, float | None]) -> Predictions:
    return Predictions(
        Prediction(str(i), label, target, None if p is None else {target: math.log(p)})
        for i, (label, target, p) in enumerate(cells)
    )


def test_the_evidence_is_the_mean_wealth_of_the_stakes() -> None:
    stakes = [0.05 * k for k in range(1, 20)]
    found = PairedSequentialTest().update([1, 0, -1, 0.5]).result
    expected = sum((1 + s) * (1 - s) * (1 + s / 2) for s in stakes) / 19
    first = sum(1 + s for s in stakes) / 19
    assert found.n == 4 and found.difference == pytest.approx(0.125)
    assert found.e_value == pytest.approx(expected)
    assert found.p_value == pytest.approx(1 / first)  # the most that there was, after one example
    assert not found.is_decided


def test_both_directions_and_one_example_at_a_time() -> None:
    better, worse = PairedSequentialTest(), PairedSequentialTest()
    for _ in range(8):
        better.update([1.0])
        worse.update([-1.0])
    assert better.result.is_better and not better.result.is_worse
    assert worse.result.is_worse and not worse.result.is_better
    assert worse.result.p_value == 1.0
    again = PairedSequentialTest().update([1.0] * 8)
    assert again.result == better.result


def test_no_example_shows_anything() -> None:
    assert PairedSequentialTest().update([0.0] * 500).result.e_value == pytest.approx(1.0)
    assert PairedSequentialTest().result.p_value == 1.0


def test_a_long_gain_is_no_infinity() -> None:
    found = PairedSequentialTest().update([1.0] * 3_000).result
    assert math.isfinite(found.e_value) and found.p_value < 1e-100


@pytest.mark.parametrize("discordance", [0.1, 0.3, 0.8])
def test_false_gains_though_looked_at_after_every_example(discordance: float) -> None:
    """1,000 runs of 300 examples in which both are equally good; a sign test would be wrong."""
    random = np.random.default_rng(7)
    shares = [discordance / 2, discordance / 2, 1 - discordance]
    drawn = random.choice([1.0, -1.0, 0.0], size=(1_000, 300), p=shares)
    false = sum(PairedSequentialTest().update(run).result.is_better for run in drawn)
    assert false <= 50


def test_skewed_differences_of_mean_zero() -> None:
    """Probabilities: many small gains, a few large losses."""
    random = np.random.default_rng(11)
    drawn = np.where(random.random((500, 200)) < 0.9, 0.1, -0.9)
    false = sum(PairedSequentialTest().update(run).result.is_better for run in drawn)
    assert false <= 25


def test_the_announced_number_of_examples_suffices() -> None:
    needed = examples_to_decide(0.1, 0.3)
    assert needed is not None
    random = np.random.default_rng(3)
    drawn = random.choice([1.0, -1.0, 0.0], size=(300, needed), p=[0.2, 0.1, 0.7])
    found = sum(PairedSequentialTest().update(run).result.is_better for run in drawn)
    assert found / 300 == pytest.approx(0.8, abs=0.08)
    assert examples_to_decide(0.01, 0.5, most=50) is None


def test_differences_of_accuracy_and_of_probability() -> None:
    a = rows(("no", "yes", 0.25), ("yes", "yes", 0.75))
    b = rows(("yes", "yes", 0.75), ("yes", "yes", 0.5))
    assert paired_differences(a, b) == [1.0, 0.0]
    assert paired_differences(a, b, "probability") == pytest.approx([0.5, -0.25])


def test_only_what_both_answered_is_compared() -> None:
    a = Predictions([Prediction("1", "x", "x"), Prediction("2", None, "x", error="no answer")])
    b = Predictions([Prediction("2", "x", "x"), Prediction("1", "y", "x")])
    assert paired_differences(a, b) == [-1.0]


def test_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="alpha"):
        PairedSequentialTest(alpha=0)
    for value in (1.5, math.nan):
        with pytest.raises(InputError, match="between -1 and 1"):
            PairedSequentialTest().update([value])
    with pytest.raises(InputError, match="at most the discordance"):
        examples_to_decide(0.3, 0.2)
    with pytest.raises(InputError, match="some have none"):
        paired_differences(Predictions([Prediction("1", "x")]), Predictions([Prediction("1", "x")]))
    bare = rows(("x", "x", None))
    with pytest.raises(InputError, match="no probability of its right label"):
        paired_differences(bare, bare, "probability")
