"""The benchmark of searches: one meter for all, claims that fresh rows confirm or do not."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError
from promptlab.prompts.decoding import Decoding
from promptlab.studies.bench import instruction_search, search_peers
from promptlab.studies.bench.instruction_search import bootstrap, measure, summarise
from promptlab.studies.bench.search_peers import PEERS, Found, require_peer
from promptlab.studies.bench.search_worker import (
    BudgetSpent,
    CallMeter,
    MeteredModel,
    SearchProblem,
)
from tests.helpers.scripted_model import ScriptedModel

TEMPLATE = pl.Template(None, {"description": "Judge it.", "input": "Text: {text}", "cue": "{mask}"})


def fair(prompt: str, answer: str) -> float:
    """Right under an instruction that says so, else always no."""
    right = "yes" if "good" in prompt.rsplit("Text: ", 1)[-1] else "no"
    return 0.0 if answer == (right if "rightly" in prompt else "no") else -5.0


def problem(meter: CallMeter, write: str = "Judge it rightly.") -> SearchProblem:
    rows = [Example(str(n), {"text": f"{'good' if n % 2 else 'bad'} {n}"}, "yes" if n % 2 else "no")
            for n in range(40)]  # fmt: skip
    model = MeteredModel(ScriptedModel(lambda prompt, sample: write, fair), meter)
    verbalizer = pl.Verbalizer({"yes": "yes", "no": "no"})
    return SearchProblem(
        "sst2", TEMPLATE, verbalizer, rows[:20], 8, rows[20:], model, model, seed=1
    )


def test_every_call_is_counted_and_none_is_made_beyond_the_limit() -> None:
    meter = CallMeter(limit=7)
    given = problem(meter)
    assert given.answer("Judge it rightly.", ["good", "bad", "good"]) == ["yes", "no", "yes"]
    assert given.write("Write one.", 0) == "Judge it rightly."
    assert (meter.worker_calls, meter.writer_calls, meter.calls) == (3, 1, 4)
    with pytest.raises(BudgetSpent, match="4 of 7"):
        given.answer("x", ["a"] * 4)
    assert meter.calls == 4 and meter.tokens > 0
    assert "features" not in given.worker.capabilities  # nothing that would be left uncounted
    with pytest.raises(BudgetSpent):
        given.worker.generate([pl.Template("a {mask}").render({})] * 4, Decoding())


@pytest.mark.parametrize(
    ("instruction", "claims", "is_confirmed"),
    [
        ("Judge it rightly.", True, True),
        ("Judge it well.", True, False),
        ("Judge it.", False, False),
    ],
)
def test_a_claim_is_confirmed_by_rows_that_nobody_saw(
    monkeypatch: pytest.MonkeyPatch, instruction: str, claims: bool, is_confirmed: bool
) -> None:
    def optimiser(given: SearchProblem, meter: CallMeter) -> Found:
        given.answer(given.instruction, ["good"] * 5)
        return Found(instruction, claims)

    monkeypatch.setitem(search_peers.PEERS, "gepa", optimiser)
    monkeypatch.setattr(search_peers, "require_peer", lambda name: None)
    meter = CallMeter(100)
    run = measure("gepa", problem(meter), meter)
    assert run["given"] == 0.5 and run["winner"] == (1.0 if is_confirmed else 0.5)
    assert (run["claims_gain"], run["is_confirmed"]) == (claims, is_confirmed)
    assert run["calls"] == 5  # what tests the winner is nobody's budget


def test_a_failure_and_a_spent_budget_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(given: SearchProblem, meter: CallMeter) -> Found:
        raise ValueError("no reply can be parsed")

    def spends(given: SearchProblem, meter: CallMeter) -> Found:
        while True:
            given.answer("x", ["a"])

    monkeypatch.setattr(search_peers, "require_peer", lambda name: None)
    monkeypatch.setitem(search_peers.PEERS, "capo", fails)
    meter = CallMeter(10)
    run = measure("capo", problem(meter), meter)
    assert run["failed"].startswith("ValueError: no reply can be parsed (test_instruction_search")
    monkeypatch.setitem(search_peers.PEERS, "capo", spends)
    run = measure("capo", problem(meter), meter)
    assert run["calls"] == 10 and not run["claims_gain"] and run["note"].startswith("stopped: 10")


def run_of(name: str, seed: int, right: str, **rest: Any) -> Mapping[str, Any]:
    winner = right.count("1") / 10
    found = {
        "optimiser": name, "task": "sst2", "seed": seed, "given": 0.7, "winner": winner,
        "right": right, "given_right": "1" * 7 + "0" * 3, "best": winner, "best_right": right,
        "claims_gain": winner > 0.7, "is_confirmed": winner > 0.8, "calls": 100,
        "writer_calls": 10, "tokens": 1_000, "seconds": 2.0,
    }  # fmt: skip
    return found | rest


def test_the_summary_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        run_of("promptlab", 1, "1" * 9 + "0"), run_of("promptlab", 2, "1" * 7 + "000"),
        run_of("gepa", 1, "1" * 8 + "00"), run_of("gepa", 2, "1" * 8 + "00"),
        run_of("gepa", 3, "", failed="x"), run_of("capo", 1, "", failed="x"),
    ]  # fmt: skip
    ours, gepa, capo = summarise(runs)
    assert ours["winner"] == pytest.approx(0.8) and ours["gain"] == pytest.approx(0.1)
    assert (ours["claims"], ours["unconfirmed"], ours["ours_less_it"]) == (1, 0, None)
    assert (gepa["claims"], gepa["unconfirmed"], gepa["failed"]) == (2, 2, 1)
    assert gepa["ours_less_it"] == pytest.approx(0.0)
    assert gepa["ours_is"] == "not distinguishable"
    low, high = gepa["ours_less_it_ci95"]
    assert low < 0 < high
    assert gepa["our_best_is"] == "not distinguishable" and ours["best"] == pytest.approx(0.8)
    assert capo == {"task": "sst2", "optimiser": "capo", "runs": 0, "failed": 1}
    instruction_search.print_summary([ours, gepa, capo])
    told = capsys.readouterr().out
    assert "not confirmed 2" in told and "not distinguishable" in told and "1 runs failed" in told


def test_intervals_hold_the_spread_of_seeds_and_of_rows() -> None:
    one = np.array([1.0, 0.0] * 50)
    low, high = bootstrap([one] * 5)
    assert 0.45 < low < 0.5 < high < 0.55  # 500 rows: ± .044
    low, high = bootstrap([np.ones(100)] * 2 + [np.zeros(100)] * 2)
    assert low < 0.1 and high > 0.9  # the seeds differ, their rows do not


def test_runs_of_other_settings_are_refused_and_failed_ones_made_again() -> None:
    lines = [json.dumps({"settings": {"calls": 5}, "seed": 1})]
    lines += [json.dumps({"settings": {"calls": 5}, "seed": 2, "failed": "x"})]
    read = instruction_search._read_runs
    assert [run["seed"] for run in read(lines, {"calls": 5}, Path("x.jsonl"))] == [1]
    with pytest.raises(InputError, match=r"x.jsonl holds runs of \{'calls': 5\}"):
        read(lines, {"calls": 6}, Path("x.jsonl"))


def test_a_peer_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in PEERS:
        with pytest.raises(CapabilityError, match="pip install"):
            require_peer(name)


def test_gepa_itself_over_a_worker_that_can_be_improved() -> None:
    pytest.importorskip("gepa")
    meter = CallMeter(120)
    run = measure("gepa", problem(meter), meter)
    assert "failed" not in run, run
    assert run["winner"] == 1.0 and run["claims_gain"] and run["is_confirmed"]
    assert run["writer_calls"] > 0 and run["calls"] <= 120
