"""The whole analysis on values whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from promptlab.study.sensitivity.analysis import Analysis, analyse_design
from promptlab.study.sensitivity.design import Factor, FactorialDesign

DESIGN = FactorialDesign(
    (
        Factor("wording", ("w0", "w1", "w2")),
        Factor("format", ("f0", "f1")),
        Factor("answers", ("a0",)),
        Factor("order", ("o0", "o1")),
    )
)


@pytest.fixture(autouse=True)
def no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """statsmodels collects garbage with every correction: most of the simulations' time."""
    monkeypatch.setattr("gc.collect", lambda *_: 0)


def draw(truth: Any, n: int, seed: int) -> Any:
    """Right answers by true accuracies ``[*levels]``."""
    random = np.random.default_rng(1000 + seed)
    return (random.random((*truth.shape, n)) < truth[..., None]).astype(float)


def analysed(truth: Any, n: int = 100, seed: int = 0, **options: Any) -> Analysis:
    names = [str(number) for number in range(DESIGN.size)]
    return analyse_design(DESIGN, draw(truth, n, seed), names, seed, **options)


def additive(wording: Any = (0, 0, 0), form: Any = (0, 0), order: Any = (0, 0)) -> Any:
    return 0.6 + (
        np.array(wording)[:, None, None, None]
        + np.array(form)[None, :, None, None]
        + np.array(order)[None, None, None, :]
    )


def test_what_moves_is_found_and_the_rest_is_not() -> None:
    found = analysed(additive(wording=(-0.2, 0, 0.2), form=(0.05, -0.05)), n=400)
    first, second, third = found.spreads
    assert (first.factor, first.best, first.worst) == ("wording", "w2", "w0")
    assert first.spread == pytest.approx(0.4, abs=0.05) and first.matters
    assert first.ci95[0] < 0.4 < first.ci95[1]
    assert second.factor == "format" and second.matters
    assert third.factor == "order" and not third.matters and third.spread < 3 * third.by_chance
    assert len(first.levels) == 3 and first.levels[0].ci95[0] < 0.4 < first.levels[0].ci95[1]
    shares = {row.source: row.share for row in found.shares}
    # true variances: .08/3 of wording, .0025 of format
    assert shares["wording"] == pytest.approx(0.9143, abs=0.05)
    assert shares["format"] == pytest.approx(0.0857, abs=0.05)
    assert shares["interactions"] == pytest.approx(0.0, abs=0.03)
    assert sum(row.variance for row in found.shares) == pytest.approx(found.variance)
    assert sum(row.corrected for row in found.shares) == pytest.approx(found.variance - found.noise)
    taus = {row.factor: row.tau for row in found.stability}
    assert taus == {"format": 1.0, "order": 1.0}


def test_an_interaction_changes_ranks() -> None:
    truth = additive()
    truth[0, 0], truth[0, 1], truth[2, 0], truth[2, 1] = 0.4, 0.8, 0.8, 0.4
    found = analysed(truth, n=400, seed=1)
    assert not any(spread.matters for spread in found.spreads)
    shares = {row.source: row for row in found.shares}
    assert (shares["interactions"].share or 0) > 0.95
    assert (shares["wording"].total_index or 0) > 0.95 and (shares["wording"].share or 0) < 0.05
    rank = next(row for row in found.stability if row.factor == "format")
    assert rank.tau == -1.0 and rank.by_halves > 0.8
    order = next(row for row in found.stability if row.factor == "order")
    assert order.by_halves < 0.5  # over all formats the wordings are alike: there is no ranking


def test_extremes_of_equal_prompts_come_back_to_the_mean() -> None:
    """All prompts are equally good: the worst looks worse than it is, and the halves say so."""
    raw, unbiased = [], []
    for seed in range(20):
        found = analysed(additive(), n=50, seed=seed, resamples=20)
        raw.append(found.worst.value)
        unbiased.append(found.worst.unbiased)
    assert np.mean(raw) < 0.53
    assert np.mean(unbiased) == pytest.approx(0.6, abs=0.03)


def test_equal_prompts_are_told_apart_in_at_most_five_per_cent() -> None:
    """Holm over three factors; 200 studies in which nothing matters but the examples."""
    random = np.random.default_rng(9)
    wrong = 0
    for seed in range(200):
        easy = np.clip(random.normal(0.6, 0.25, 60), 0.02, 0.98)
        values = (random.random((*DESIGN.shape, 60)) < easy).astype(float)
        found = analyse_design(DESIGN, values, ["p"] * DESIGN.size, seed, resamples=2)
        wrong += any(spread.matters for spread in found.spreads)
    assert wrong <= 19  # 10 are expected; 20 or more have a chance of 0.4 %


def test_intervals_hold_the_true_shares() -> None:
    """In about 95 of 100 samples; fewer than 85 would be a fault."""
    truth = additive(wording=(-0.15, 0, 0.15), form=(0.08, -0.08))
    held = spreads = 0
    for seed in range(100):
        found = analysed(truth, n=150, seed=seed, resamples=200)
        low, high = found.shares[0].ci95 or (2.0, 2.0)
        held += low <= 0.015 / (0.015 + 0.0064) <= high
        wording = next(spread for spread in found.spreads if spread.factor == "wording")
        spreads += wording.ci95[0] <= 0.3 <= wording.ci95[1]
    assert held >= 85 and spreads >= 85, (held, spreads)


def test_where_nothing_differs() -> None:
    values = np.tile([0.0, 1.0, 1.0, 0.0, 1.0], (*DESIGN.shape, 1))
    found = analyse_design(DESIGN, values, ["p"] * DESIGN.size, 0)
    assert (found.variance, found.noise) == pytest.approx((0, 0)) and found.stability == ()
    assert [row.share for row in found.shares] == [None] * 4
    assert all(spread.p_value == 1 for spread in found.spreads)
    assert [spread.spread for spread in found.spreads] == pytest.approx([0, 0, 0])
    assert found.worst.value == found.best.value == found.start.value == pytest.approx(0.6)


def test_the_start_is_the_first_level_of_all() -> None:
    found = analysed(additive(wording=(0.3, 0, 0)), n=50)
    assert found.start.levels == {"wording": "w0", "format": "f0", "answers": "a0", "order": "o0"}
    assert found.prompts[0] == found.start and [p.prompt for p in found.prompts][:3] == [
        "0",
        "1",
        "2",
    ]
