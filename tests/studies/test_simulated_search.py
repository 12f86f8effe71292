"""Whole searches over simulated models: equal prompts bring no claim, a better one is found."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

import promptlab as pl
from promptlab.evaluation.search_budget import SearchBudget
from promptlab.studies.bench.simulated_search import (
    METHODS,
    SimulatedModel,
    count_claims,
    simulate_search,
)

_SMALL = SearchBudget(proposals=4, dev=60, test=120)


@pytest.mark.parametrize(("gain", "expected"), [(0.0, 0.75), (0.1, 0.85)])
def test_prompts_are_as_good_as_they_are_said_to_be(
    tmp_path: Path, gain: float, expected: float
) -> None:
    model = SimulatedModel(3, gain)
    task = pl.load_task(str(model.write_examples(tmp_path / "q.csv", 3_000)), train=2, dev=2)
    answers = {"no": "no", "yes": "yes"}
    given, written = (
        pl.PromptClassifier(text, answers, model).predict(task.test)
        for text in ("{text}: {mask}", "Please notwithstanding. {text}: {mask}")
    )
    assert statistics.mean(given.correct) == pytest.approx(0.75, abs=0.03)
    assert statistics.mean(written.correct) == pytest.approx(expected, abs=0.03)
    differ = [a != b for a, b in zip(given.correct, written.correct, strict=True)]
    assert statistics.mean(differ) == pytest.approx(0.25, abs=0.03)


def test_a_large_gain_is_found_and_none_is_not_claimed() -> None:
    found = [simulate_search(seed, gain=0.25, plan=_SMALL) for seed in (1, 2, 3)]
    assert all(found)
    claimed = [simulate_search(seed, gain=0.0, plan=_SMALL) for seed in range(1, 7)]
    assert sum(claimed) <= 1


@pytest.mark.nightly
@pytest.mark.parametrize("method", METHODS)
def test_of_a_thousand_searches_few_claim_what_is_not_there(method: str) -> None:
    row = count_claims(1_000, gain=0.0, plan=SearchBudget(12, 200, 250), methods=[method])  # type: ignore[list-item]
    assert row["share"] <= 0.05


@pytest.mark.nightly
def test_what_is_announced_is_found_in_four_of_five_searches() -> None:
    plan = SearchBudget(12, 200, 250)
    gain = plan.detectable_gain()
    assert gain == 0.1
    assert count_claims(1_000, gain=gain, plan=plan)["share"] >= 0.8
