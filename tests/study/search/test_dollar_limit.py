"""A remote writer in the ledger of a study: its calls, tokens and dollars, and what limits them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import StudyError
from promptlab.events import Cost, Event, Events, Warned
from promptlab.models.local import LocalModel
from promptlab.models.pool import load_model, model_options
from promptlab.study.estimate.estimate import estimate_study
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.spec.policy import StudyPolicy
from promptlab.study.spec.sections import BudgetSection
from tests.helpers.fake_endpoint import Answer, Call, Endpoint, said, serving
from tests.helpers.study_fixtures import study_document, write_reviews

TEMPLATE = {"text": "{text} It was {mask}", "answers": {"negative": "bad", "positive": "good"}}
PRICE = {"price": {"input": 1_000.0, "output": 10_000.0}}
EACH = (100 * 1_000 + 10 * 10_000) / 1e6
"""Dollars of a reply: 100 tokens are read, 10 are written."""
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PROMPTLAB_API_KEY", "sk-of-no-worth-0123456789")
    asked: list[Call] = []

    def writes(call: Call, number: int) -> Answer:
        asked.append(call)
        word = WORDS[len(asked) % len(WORDS)]
        return said(f"{word} {word} says how much the {word} liked it.", usage=(100, 10))

    with serving(writes) as opened:
        yield opened


def document(tmp_path: Path, endpoint: Endpoint, **changes: Any) -> dict[str, Any]:
    data = tmp_path / "reviews.csv"
    group = {
        "kind": "instruction_search", "templates": [TEMPLATE], "proposals": 8,
        "methods": ["induction"], "writer": endpoint.name,
    }  # fmt: skip
    found = study_document(data if data.exists() else write_reviews(data), candidates=[group])
    priced = {"models": {endpoint.name: PRICE}, "budget": {"trials": 9}, "batch": 2}
    return {k: v for k, v in (found | priced | changes).items() if v is not None}


def test_calls_tokens_and_dollars_of_a_writer_stand_in_the_ledger(
    tmp_path: Path, endpoint: Endpoint, causal: LocalModel
) -> None:
    heard: list[Event] = []
    spec = load_spec(document(tmp_path, endpoint), source="")
    found = estimate_study(spec, causal)
    assert not endpoint.calls and found.dollars is not None and found.dollars.low > 0
    run = StudyRun(spec, out=tmp_path, model=causal, events=Events(heard.append))  # type: ignore[arg-type]
    board = run.run()
    calls = len(endpoint.calls)
    assert calls >= 8
    cost = board["cost"]
    assert (cost["requests"], cost["tokens_in"], cost["tokens_out"]) == (
        calls, 100 * calls, 10 * calls,
    )  # fmt: skip
    assert cost["dollars"] == pytest.approx(EACH * calls)
    lines = (run.folder.path / "cost.jsonl").read_text().splitlines()
    assert sum(json.loads(line).get("dollars", 0) for line in lines) == pytest.approx(
        cost["dollars"]
    )
    told = [event for event in heard if isinstance(event, Cost)]
    assert told[-1].dollars == cost["dollars"]
    assert any("Cost of the endpoint" in line for line in board["statements"])
    written = load_spec(run.folder.path / "study.yaml")
    assert written.fingerprint == spec.fingerprint and written.models == spec.models


def test_the_dollars_of_the_budget_end_the_search_and_more_continue_it(
    tmp_path: Path, endpoint: Endpoint, causal: LocalModel
) -> None:
    heard: list[Event] = []
    least = {"trials": 9, "dollars": 3 * EACH}
    first = document(tmp_path, endpoint, budget=least)
    run = StudyRun(
        load_spec(first, source=""), out=tmp_path, model=causal, events=Events(heard.append)
    )  # type: ignore[arg-type]
    board = run.run()
    assert 3 <= len(endpoint.calls) <= 4  # a batch of two is written before it is judged
    assert len(board["trials"]) < 9
    assert "the budget of $0.6 was spent" in "\n".join(board["statements"])
    warned = [event.message for event in heard if isinstance(event, Warned)]
    assert any("the dollars of the budget are spent: $0.6 of $0.6" in m for m in warned) or any(
        "the dollars of the budget are spent: $0.8 of $0.6" in m for m in warned
    )
    more = document(tmp_path, endpoint, budget={"trials": 9, "dollars": 100.0})
    again = StudyRun(load_spec(more, source=""), out=tmp_path, model=causal)  # type: ignore[arg-type]
    with suppress(StudyError):  # test was read; another winner than then is not tested
        again.run()
    assert again.context.history.count == 9
    lines = (run.folder.path / "cost.jsonl").read_text().splitlines()
    paid = sum(json.loads(line).get("dollars", 0) for line in lines)
    assert paid == pytest.approx(EACH * len(endpoint.calls)) and len(endpoint.calls) >= 8


def test_a_limit_needs_prices(tmp_path: Path, endpoint: Endpoint, causal: LocalModel) -> None:
    unpriced = document(tmp_path, endpoint, models=None, budget={"trials": 3, "dollars": 1.0})
    with pytest.raises(StudyError, match=r"budget, dollars: remote:m@.* has no price; give it"):
        StudyRun(load_spec(unpriced, source=""), out=tmp_path, model=causal).run()  # type: ignore[arg-type]
    assert not endpoint.calls


def test_options_of_further_models(tmp_path: Path, endpoint: Endpoint) -> None:
    plain = load_spec(document(tmp_path, endpoint, models=None), source="")
    priced = load_spec(document(tmp_path, endpoint), source="")
    assert "models" not in plain.document() and "dollars" not in plain.document()["budget"]
    assert priced.fingerprint == plain.fingerprint  # what it costs decides nothing
    asked = {endpoint.name: {"extra": {"reasoning_effort": "low"}}}
    other = load_spec(document(tmp_path, endpoint, models=asked), source="")
    assert other.fingerprint != plain.fingerprint
    with pytest.raises(StudyError, match="'smollm2-135m' is no endpoint"):
        load_spec(document(tmp_path, endpoint, models={"smollm2-135m": PRICE}), source="")
    with pytest.raises(StudyError, match="no other endpoint is asked here"):
        load_spec(document(tmp_path, endpoint), policy=StudyPolicy(models=["tiny"]))
    with model_options({endpoint.name: PRICE}):
        assert load_model(endpoint.name).options.price.output == 10_000.0  # type: ignore[attr-defined]
        own = load_model(endpoint.name, price={"input": 1.0, "output": 2.0})
        assert own.options.price.output == 2.0  # type: ignore[attr-defined]
    assert load_model(endpoint.name).options.price is None  # type: ignore[attr-defined]


def test_a_larger_budget_covers_a_smaller_one() -> None:

    small, large = BudgetSection(trials=3, dollars=1.0), BudgetSection(trials=3, dollars=2.0)
    assert large.covers(small) and not small.covers(large)
    assert BudgetSection(trials=3).covers(large) and not large.covers(BudgetSection(trials=3))
    timed = BudgetSection(trials=3, seconds=5)
    assert BudgetSection(trials=4).covers(timed) and not timed.covers(BudgetSection(trials=3))
