"""The verdict: what a result document says is to be done."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.study.decision.power import examples_needed
from promptlab.study.decision.verdict import study_verdict
from promptlab.study.report.search_sentences import search_sentence
from tests.helpers.report_fixtures import sample_board


def scores(accuracy: float, n: int = 100, **more: Any) -> dict[str, Any]:
    ends = [max(0.0, accuracy - 0.1), min(1.0, accuracy + 0.1)]
    return {"accuracy": accuracy, "ci95": ends, "n": n, "n_missing": 0, "n_distinct": n} | more


def trial(number: int, accuracy: float, tokens: float, **more: Any) -> dict[str, Any]:
    return {
        "number": number,
        "state": "complete",
        "name": f"prompt {number}",
        "dev": scores(accuracy),
        "tokens_per_example": tokens,
        "vs_best": None,
    } | more


def beside(low: float, high: float) -> dict[str, Any]:
    return {"vs_best": {"difference": (low + high) / 2, "ci95": [low, high]}}


def board(
    dev: float = 0.8, test: float = 0.8, *, p: float = 0.001, apart: float = 0.2, **more: Any
) -> dict[str, Any]:
    trials = [trial(0, dev, 100.0), *more.pop("others", [])]
    majority = {"name": "majority", "dev": scores(0.5), "test": scores(test - apart), "note": ""}
    comparison = {
        "baseline": "majority", "test": "mcnemar_exact", "p_value": p, "difference": apart,
        "ci95": [apart - 0.1, apart + 0.1], "n_discordant": 40, "n": 100, "measure": "accuracy",
    }  # fmt: skip
    return {
        "study": "s",
        "objective": "accuracy",
        "maximise": True,
        "trials": trials,
        "best": {"number": 0, "name": "prompt 0", "dev": scores(dev), "test": scores(test)},
        "baselines": [majority, *more.pop("controls", [])],
        "comparison": comparison,
        "comparisons": [comparison, *more.pop("comparisons", [])],
        "decision": {"missing": 0.05, "margin": 0.03, "cheaper": 0.2},
    } | more


def control(name: str, dev: float | None, test: float | None) -> dict[str, Any]:
    found = [None if value is None else scores(value) for value in (dev, test)]
    return {"name": name, "dev": found[0], "test": found[1], "note": ""}


def test_a_winner_that_is_better_is_used() -> None:
    found = study_verdict(board())
    assert (found.action, found.trial, found.trusted) == ("use", 0, True)
    assert found.headline == "Use prompt 0: accuracy 80.0\u00a0% on the untouched test split."
    assert found.because == (
        "95 % interval 70.0\u201390.0\u00a0%, 100 examples. "
        "That is 20.0 points better than the majority baseline (exact McNemar test, p = 0.001)."
    )
    assert "runs/s/best" in found.next


def test_a_winner_below_the_majority_is_not_to_be_trusted() -> None:
    low = board(0.626, 0.64, p=0.34, apart=-0.02)
    low["baselines"][0]["dev"] = scores(0.678)
    found = study_verdict(low)
    assert (found.action, found.trial, found.trusted) == ("none", None, False)
    assert found.headline.startswith("Do not trust this: the control majority has")
    assert "Use" not in found.headline
    # on dev alone, too
    low = board(0.626, 0.66, p=0.34, apart=0.02)
    low["baselines"][0]["dev"] = scores(0.678)
    assert study_verdict(low).headline.startswith(
        "Do not trust this: the control majority has 67.8"
    )


@pytest.mark.parametrize(
    "beats",
    [
        control("content-free", 0.81, None),
        control("shuffled-labels", 0.81, None),
        control("bag-of-words", 0.7, 0.81),
    ],
)
def test_a_control_that_beats_the_winner(beats: dict[str, Any]) -> None:
    found = study_verdict(board(controls=[beats]))
    assert found.action == "none"
    assert found.headline.startswith(f"Do not trust this: the control {beats['name']} has 81.0")
    assert found.next


def test_controls_that_do_not_beat_it_change_nothing() -> None:
    level = [control("content-free", 0.8, None), control("bag-of-words", 0.9, 0.79)]
    assert study_verdict(board(controls=level)).action == "use"
    unmeasured = [control("bag-of-words", None, None), control("shuffled-labels", None, None)]
    assert study_verdict(board(controls=unmeasured)).action == "use"


def test_lower_is_better_for_some_objectives() -> None:
    errors = board(objective="calibration_error", maximise=False)
    for part in (errors["best"], *errors["baselines"]):
        for split in ("dev", "test"):
            part[split]["calibration_error"] = 0.1 if part is errors["best"] else 0.3
    errors["comparison"] |= {"measure": "calibration_error", "difference": -0.2}
    assert study_verdict(errors).action == "use"
    errors["comparison"] |= {"difference": 0.2}
    assert study_verdict(errors).action == "none"


def test_what_cannot_be_told_from_the_majority_is_not_worth_using() -> None:
    found = study_verdict(board(test=0.6, p=0.21, apart=0.08))
    assert (found.action, found.trusted) == ("none", True)
    assert found.headline.startswith("None of these is worth using yet: on test the best of them")
    assert "cannot be told from the majority baseline" in found.because
    needed = examples_needed(0.08, 0.4)
    assert f"needs about {needed:,} test examples" in found.next
    assert "there are 100" in found.next
    assert "would not help" in study_verdict(board(test=0.6, p=1.0, apart=0.0)).next
    assert "would hardly help" in study_verdict(board(test=0.6, p=0.9, apart=0.005)).next


def test_the_cheaper_one_is_equivalent_and_saves_a_share() -> None:
    same = trial(1, 0.8, 50.0, **beside(-0.02, 0.02))
    found = study_verdict(board(others=[same]))
    assert (found.action, found.trial) == ("use_cheaper", 1)
    assert "takes 50% fewer tokens" in found.headline
    assert "lies within ± 0.03" in found.because
    assert "runs/s/cheaper" in found.next


@pytest.mark.parametrize(
    "other",
    [
        trial(1, 0.367, 99.8, p_vs_best=0.07, **beside(-0.01, 0.34)),  # saves 0.2 tokens
        trial(1, 0.8, 90.0, **beside(-0.02, 0.02)),  # saves a tenth
        trial(1, 0.79, 50.0, p_vs_best=0.9, **beside(-0.02, 0.05)),  # p > .05 is not equivalence
        trial(1, 0.5, 50.0, **beside(-0.02, 0.02)),  # no better than the majority class
        trial(1, 0.8, 50.0),  # of an earlier version: nothing is known
        trial(1, 0.8, 50.0, vs_best={"difference": 0.0, "ci95": [0.0, 0.0], "n": 20}),  # too few
    ],
)
def test_cheaper_alone_is_no_reason(other: dict[str, Any]) -> None:
    found = study_verdict(board(others=[other]))
    assert (found.action, found.trial) == ("use", 0)
    assert "cheaper" not in found.headline + found.because


def test_a_baseline_that_is_better_on_test() -> None:
    other = {
        "baseline": "plain", "trial": 3, "why": "the best of the group 'template'",
        "test": "mcnemar_exact", "p_value": 0.01, "difference": -0.1, "ci95": [-0.2, -0.02],
        "n_discordant": 30, "n": 100, "measure": "accuracy",
    }  # fmt: skip
    found = study_verdict(board(comparisons=[other]))
    assert found.action == "none"
    assert "worse than plain" in found.headline


def test_without_enough_answers_nothing_is_decided() -> None:
    gap = {
        "split": "dev", "trial": 1, "name": "second", "missing": 8, "examples": 24,
        "reason": "429 Too Many Requests",
    }  # fmt: skip
    found = study_verdict(board() | {"gaps": [gap]})
    assert (found.action, found.trial) == ("undecided", None)
    assert "second (trial 1): 16 of 24 examples on dev were answered" in found.because
    assert "429" in found.because


def test_unfinished_studies() -> None:
    unfinished = board()
    unfinished["best"]["test"] = None
    found = study_verdict(unfinished)
    assert found.headline == "Best so far is prompt 0: accuracy 80.0\u00a0% on dev."
    assert found.because.endswith("The test split has not been touched yet.")
    assert study_verdict({}).headline.startswith("No trial has finished")


def test_documents_of_earlier_versions_have_a_verdict() -> None:
    found = study_verdict(sample_board())
    assert found.action == "use"
    assert found.headline.startswith("Use ")


def test_the_verdict_that_is_kept_is_the_verdict() -> None:
    kept = study_verdict(board(test=0.6, p=0.21, apart=0.08))
    assert study_verdict(board() | {"verdict": kept.record()}) == kept


@pytest.mark.parametrize(
    ("search", "told"),
    [
        (
            {"done": 8, "planned": 26, "space": 26, "cut": True, "seconds": 240.0},
            "8 of 26 candidates tried; the budget of 240 s was spent.",
        ),
        (
            {"done": 8, "planned": 50, "space": None, "cut": True, "seconds": 240.0},
            "8 of 50 trials made; the budget of 240 s was spent.",
        ),
        (
            {"done": 50, "planned": 50, "space": 1200, "cut": False, "seconds": None},
            "48 of 1,200 candidates tried; the budget of 50 trials was spent.",
        ),
        ({"done": 26, "planned": 26, "space": 26, "cut": False, "seconds": 240.0}, ""),
        ({"done": 50, "planned": 50, "space": None, "cut": False, "seconds": None}, ""),
    ],
)
def test_what_was_not_tried(search: dict[str, Any], told: str) -> None:
    whole = {"search": search | {"trials": 50, "different": search["done"] - 2}}
    if search["planned"] == 26:
        whole["search"]["different"] = search["done"]
    assert search_sentence(whole).removesuffix(" A larger budget continues.") == told


def test_power_of_a_paired_test() -> None:
    assert examples_needed(0.1, 0.3) == 234
    assert examples_needed(0.2, 0.3) < examples_needed(0.1, 0.3)
    assert examples_needed(0.5, 0.1) > 0


def written(difference: float, p_value: float) -> dict[str, Any]:
    """A study whose winner a model has written from the prompt of trial 1."""
    given = {
        "baseline": "as it was", "trial": 1, "why": "the best of the group 'template'",
        "difference": difference, "p_value": p_value, "n": 100, "n_discordant": 30,
        "measure": "accuracy", "test": "mcnemar_exact",
        "ci95": [difference - 0.1, difference + 0.1],
    }  # fmt: skip
    found = board()
    found["best"]["kind"] = "instruction_search"
    found["comparisons"] = [*found["comparisons"], given]
    return found


@pytest.mark.parametrize(
    ("difference", "p_value", "action"),
    [(0.1, 0.01, "use"), (0.1, 0.3, "keep"), (0.0, 1.0, "keep"), (-0.02, 0.6, "keep")],
)
def test_what_was_written_is_used_when_it_is_shown_to_be_better(
    difference: float, p_value: float, action: str
) -> None:
    found = study_verdict(written(difference, p_value))
    assert found.action == action
    if action == "keep":
        assert found.trial == 1 and found.headline.startswith("Keep as it was: ")
        assert "/given FILE" in found.next
    # a hand-written prompt that ties is no reason to keep another one
    hand = written(difference, p_value)
    hand["best"]["kind"] = "template"
    assert study_verdict(hand).action == "use"
