"""What is announced of a search: the gain it can show, and how rarely it claims a false one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import promptlab as pl
from promptlab.errors import InputError
from promptlab.evaluation.search_budget import SearchBudget, announce_budget
from promptlab.study.decision.power import examples_needed
from tests.helpers.study_fixtures import write_reviews


def test_of_equal_prompts_few_searches_claim_a_better_one() -> None:
    """Of 2,000 searches; test chose nothing, so one of its two tails is all that can be wrong."""
    for plan in (
        SearchBudget(12, 200, 250),
        SearchBudget(100, 50, 1_000),
        SearchBudget(1, 20, 100),
    ):
        assert plan.false_claims() <= 0.035


def test_one_proposal_needs_what_a_single_comparison_needs() -> None:
    """With dev examples without end the better one is chosen, and McNemar's test is all."""
    needed = examples_needed(0.1, 0.25)
    assert SearchBudget(1, 1_000_000, needed).power(0.1) == pytest.approx(0.8, abs=0.05)


def test_dev_that_cannot_choose_finds_nothing() -> None:
    """Of 100 prompts one dev example chooses hardly better than by lot."""
    assert SearchBudget(100, 1, 1_000_000).power(0.1) < 0.1


def test_the_gain_that_is_announced_is_the_smallest_one() -> None:
    plan = SearchBudget(12, 200, 250)
    gain = plan.detectable_gain()
    assert gain is not None and plan.power(gain) >= 0.8 > plan.power(gain - 0.01)
    assert SearchBudget(12, 400, 800).detectable_gain() < gain  # type: ignore[operator]
    assert SearchBudget(12, 5, 3).detectable_gain() is None


@pytest.mark.parametrize("given", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_a_search_of_nothing(given: tuple[int, int, int]) -> None:
    with pytest.raises(InputError, match="needs proposals"):
        SearchBudget(*given)
    with pytest.raises(InputError, match="discordance"):
        SearchBudget(1, 1, 1, discordance=0.0)


def test_what_a_budget_buys_is_said(tmp_path: Path) -> None:
    task = pl.load_task(str(write_reviews(tmp_path / "reviews.csv")), train=20, dev=30, test=40)
    assert "5 instructions" in announce_budget(5, task)
    assert "little more than a draw" in announce_budget(5, task)
    told = announce_budget(20, task)
    assert "at most 30 dev examples (600 judgements)" in told
    gain = SearchBudget(20, 30, 40).detectable_gain()
    assert gain is not None and f"better by {100 * gain:.0f} points is found" in told
    tiny = announce_budget(20, dataclasses.replace(task, test=task.test[:3]))
    assert "would be missed on 3 test examples" in tiny
    assert "draw" not in told
