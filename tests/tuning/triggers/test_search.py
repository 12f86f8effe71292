from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.errors import InputError, Pruned
from promptlab.tuning.triggers.losses import AdversarialScorer, Tokens
from promptlab.tuning.triggers.proposals import (
    AutoPrompt,
    CandidateProposal,
    GreedyCoordinate,
    UniversalTrigger,
)
from promptlab.tuning.triggers.search import SearchSettings, TokenSearch
from promptlab.tuning.triggers.state import AcceptedTrigger, SearchState
from tests.helpers.quadratic_objective import EXAMPLES, QuadraticOracle

pytestmark = pytest.mark.slow

PROPOSALS: dict[str, CandidateProposal] = {
    "autoprompt": AutoPrompt(top=20),
    "autoprompt at random": AutoPrompt(top=20, order="random"),
    "universal": UniversalTrigger(top=20),
    "universal with a beam": UniversalTrigger(top=20, width=3),
    "greedy": GreedyCoordinate(top=40, sample=30),
    "greedy with several swaps": GreedyCoordinate(top=40, sample=30, swaps=3, settle=20),
}
START = (0, 1, 2, 3)


def search(oracle: Any, proposal: CandidateProposal, **given: Any) -> TokenSearch:
    options = {
        name: given.pop(name)
        for name in ("allowed", "survives", "words", "on_accepted")
        if name in given
    }
    options.setdefault("allowed", np.ones(oracle.vocabulary, dtype=bool))
    settings = SearchSettings(**{"steps": 40, "batch": 6} | given)
    return TokenSearch(oracle, proposal, settings, examples=EXAMPLES, **options)


def states(found: TokenSearch, tokens: Tokens = START) -> list[SearchState]:
    first = found.start(tokens)
    return [first, *found.run(first)]


@pytest.mark.parametrize("name", PROPOSALS)
def test_every_proposal_finds_the_known_trigger(name: str) -> None:
    oracle = QuadraticOracle()
    assert states(search(oracle, PROPOSALS[name], steps=120))[-1].best.tokens == oracle.best


def test_accepted_steps_are_told_and_alone_scored_on_dev() -> None:
    oracle, told = QuadraticOracle(), list[AcceptedTrigger]()
    found = search(oracle, AutoPrompt(top=20), on_accepted=told.append, words=lambda t: f"w{t[0]}")
    every = states(found)
    assert [told[0].step, told[0].tokens, told[0].words] == [0, START, "w0"]
    moved = [b for a, b in pairwise(every) if a.tokens != b.tokens]
    assert [(a.step, a.tokens) for a in told[1:]] == [(s.step, s.tokens) for s in moved]
    assert oracle.dev_calls == [a.tokens for a in told]
    assert len(told) < len(every)
    examples = found._comparison(told[1].step - 1)
    assert told[1].loss == pytest.approx(oracle.losses([told[1].tokens], examples).mean())


def test_a_step_never_accepts_what_is_worse_on_the_same_examples() -> None:
    oracle = QuadraticOracle()
    found = search(oracle, GreedyCoordinate(top=60, sample=10))
    every = states(found)
    for before, after in pairwise(every):
        losses = oracle.losses([before.tokens, after.tokens], found._comparison(before.step))
        assert losses[1].mean() < losses[0].mean() or before.tokens == after.tokens


@pytest.mark.parametrize("name", PROPOSALS)
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_a_resumed_search_equals_an_uninterrupted_one(
    name: str, momentum: float, tmp_path: Path
) -> None:
    whole = states(search(QuadraticOracle(), PROPOSALS[name], momentum=momentum, blocks=2))
    for cut in (0, 1, 7, 15):
        whole[cut].save(tmp_path / "state.json")
        again = SearchState.load(tmp_path / "state.json")
        assert again == whole[cut]
        fresh = search(QuadraticOracle(), PROPOSALS[name], momentum=momentum, blocks=2)
        assert list(fresh.run(again)) == whole[cut + 1 :]


def test_a_state_is_plain_json() -> None:
    last = states(search(QuadraticOracle(), AutoPrompt(), momentum=0.5, steps=3))[-1]
    assert SearchState.of(json.loads(json.dumps(last.record()))) == last
    assert len(last.recent) == 3


@pytest.mark.parametrize("record", [{}, {"step": 1, "tokens": [1], "best": {}, "recent": []}, "x"])
def test_what_is_no_state_is_refused(record: Any, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match=r"state\.json is not the state of a trigger search"):
        SearchState.load(path)


@pytest.mark.parametrize("name", PROPOSALS)
def test_remembering_changes_the_cost_alone(name: str) -> None:
    costs = []
    results = []
    for remember in (True, False):
        oracle = QuadraticOracle()
        results.append(states(search(oracle, PROPOSALS[name], remember=remember)))
        costs.append(oracle.calls)
    assert results[0] == results[1]
    assert costs[0] < costs[1]


@pytest.mark.parametrize("name", PROPOSALS)
def test_racing_changes_the_cost_alone_where_the_examples_agree(name: str) -> None:
    costs = []
    results = []
    for blocks in (1, 3):
        oracle = QuadraticOracle()
        oracle.weights[:] = oracle.weights[0]  # the order of candidates is that of one example
        found = search(oracle, PROPOSALS[name], blocks=blocks, comparison=12, remember=False)
        results.append(states(found))
        costs.append(oracle.calls)
    assert results[0] == results[1]
    assert costs[1] < 0.7 * costs[0]


def test_a_race_finds_the_trigger_with_examples_that_differ() -> None:
    oracle = QuadraticOracle()
    assert states(search(oracle, AutoPrompt(top=20), blocks=3))[-1].best.tokens == oracle.best


def test_patience_ends_the_search() -> None:
    last = states(search(QuadraticOracle(), AutoPrompt(top=20), steps=500, patience=9))[-1]
    assert last.step == last.best.step + 9 < 500


def test_the_best_on_dev_is_kept_though_the_search_moves_on() -> None:
    oracle = QuadraticOracle()
    oracle.dev_score = lambda tokens: float(tokens == START)  # type: ignore[method-assign]
    last = states(search(oracle, AutoPrompt(top=20)))[-1]
    assert last.best.tokens == START
    assert last.tokens == oracle.best


def test_only_allowed_and_surviving_triggers_are_tried() -> None:
    oracle = QuadraticOracle()
    allowed = np.arange(oracle.vocabulary) % 2 == 0
    tried: set[Tokens] = set()
    inner = oracle.losses

    def watched(tokens: Any, examples: Any) -> np.ndarray:
        tried.update(tokens)
        return inner(tokens, examples)

    oracle.losses = watched  # type: ignore[method-assign]
    for name in PROPOSALS:
        states(
            search(
                oracle,
                PROPOSALS[name],
                allowed=allowed,
                survives=lambda tokens: sum(tokens) % 3 == 0,
            ),
            (0, 2, 4, 6),
        )
    assert len(tried) > 50
    assert all(token % 2 == 0 for trigger in tried for token in trigger)
    assert all(sum(trigger) % 3 == 0 for trigger in tried)


def test_adversarial_search_makes_the_loss_large() -> None:
    oracle = QuadraticOracle()
    worst = AdversarialScorer(oracle)
    found = states(search(worst, AutoPrompt(top=30)))[-1].best
    furthest = [
        int(((oracle.embedding - oracle.embedding[best]) ** 2).sum(axis=1).argmax())
        for best in oracle.best
    ]
    assert found.tokens == tuple(furthest)
    assert found.score == -oracle.dev_score(found.tokens) > 0
    assert worst.vocabulary == oracle.vocabulary


@pytest.mark.parametrize("method", ["losses", "gradient", "dev_score"])
def test_what_is_not_a_number_prunes(method: str) -> None:
    oracle = QuadraticOracle()
    inner = getattr(oracle, method)
    setattr(oracle, method, lambda *given: inner(*given) * np.nan)
    with pytest.raises(Pruned, match="a b c d"):
        states(search(oracle, AutoPrompt(), words=lambda tokens: "a b c d"))


def test_a_candidate_whose_loss_is_not_a_number_is_never_taken() -> None:
    oracle = QuadraticOracle()
    inner = oracle.losses
    oracle.losses = lambda tokens, examples: np.where(  # type: ignore[method-assign]
        np.array([[oracle.best[0] in trigger] for trigger in tokens]),
        np.nan,
        inner(tokens, examples),
    )
    last = states(search(oracle, AutoPrompt(top=20)))[-1]
    assert last.best.tokens[1:] == oracle.best[1:]
    assert last.best.tokens[0] != oracle.best[0]


def test_swaps_are_annealed_to_one() -> None:
    proposal = GreedyCoordinate(swaps=5, settle=10)
    changed = [proposal.changed(step) for step in range(12)]
    assert changed[0] == 5
    assert changed == sorted(changed, reverse=True)
    assert changed[10:] == [1, 1]


def test_batches_are_fresh_as_far_as_the_set_allows() -> None:
    found = search(QuadraticOracle(), AutoPrompt(), accumulate=2)
    for step in range(5):
        batches = [set(batch.tolist()) for batch in found._batches(step, 6, 2)]
        compared = found._comparison(step)
        assert len(compared) == len(set(compared)) == 6
        assert not batches[0] & batches[1]
        assert not set(compared) & (batches[0] | batches[1])
    large = search(QuadraticOracle(), AutoPrompt(), batch=100)
    (gradient,) = large._batches(0, 100, 1)
    comparison = large._comparison(0)
    assert len(gradient) == len(comparison) == EXAMPLES // 2
    assert not {*gradient.tolist()} & {*comparison}


def test_wrong_settings_are_named() -> None:
    for name, value in {"steps": 0, "batch": -1, "blocks": 0, "patience": 0}.items():
        with pytest.raises(InputError, match=name):
            SearchSettings(**{name: value})
    with pytest.raises(InputError, match="momentum"):
        replace(SearchSettings(), momentum=1.0)
    with pytest.raises(InputError, match="seed"):
        SearchSettings(seed=-1)
    with pytest.raises(InputError, match="top"):
        AutoPrompt(top=0)
    with pytest.raises(InputError, match="width"):
        UniversalTrigger(width=0)
    with pytest.raises(InputError, match="sample"):
        GreedyCoordinate(sample=0)
    oracle = QuadraticOracle()
    with pytest.raises(InputError, match="allow at least one"):
        search(oracle, AutoPrompt(), allowed=np.zeros(oracle.vocabulary, dtype=bool))
    with pytest.raises(InputError, match="at least one token"):
        search(oracle, AutoPrompt()).start(())
