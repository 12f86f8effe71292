"""Tree of thoughts with a scripted model: solutions are found, branches pruned, budgets held."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from promptlab.data.puzzles.game24 import is_solution
from promptlab.errors import CapabilityError, InputError
from promptlab.evaluation.trace import Trace
from promptlab.predictors.base import load
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import RegexParser
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.node import Budget
from promptlab.strategies.tree_of_thoughts.search import TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tree_fixtures import (
    PROPOSE,
    PUZZLES,
    VALUE,
    VOTE,
    all_moves,
    examples,
    facts,
    oracle,
    steps,
    tree,
)


@pytest.mark.parametrize("method", ["breadth", "depth"])
def test_known_solutions_are_found(method: Any) -> None:
    model = ScriptedModel(all_moves, oracle)
    rows = tree(model, search=TreeSearch(method, beam=1)).predict(examples(*PUZZLES))
    for row, puzzle in zip(rows, PUZZLES, strict=True):
        assert row.error is None
        assert is_solution(row.label or "", [int(n) for n in puzzle.split()])
        assert facts(row)["solved"] and facts(row)["ended"] == "solved"
    # All puzzles walk side by side: a level's questions are one call.
    assert [len(call) for call in model.calls] == [5, 5, 5]


def test_what_happened_stands_in_the_trace() -> None:
    (row,) = tree(ScriptedModel(all_moves, oracle), search=TreeSearch(beam=1)).predict(
        examples("1 1 1 8")
    )
    trace = Trace.from_record(row.trace)
    thoughts = [step for step in trace if step.name == "thought"]
    chosen = [step for step in thoughts if step.notes.get("chosen")]
    assert len(chosen) == 3
    assert chosen[-1].notes["solved"]
    assert chosen[0].notes["kept"] and chosen[0].notes["word"] == "sure"
    assert chosen[0].notes["value"] > 19
    assert any(s.notes.get("pruned") == "beyond the beam" for s in thoughts)
    assert any("99 and 1 are not both there" in str(s.notes.get("illegal")) for s in thoughts)
    assert any("no step of the form" in str(s.notes.get("illegal")) for s in thoughts)
    merged = [s for s in thoughts if "merged_with" in s.notes]
    assert merged and all(trace.steps[s.notes["merged_with"]].name == "thought" for s in merged)
    # The chosen path is a path: every thought follows from a proposal, that from the one before.
    for earlier, later in pairwise(chosen):
        assert trace.steps[later.parent or 0].parent == earlier.number
    assert "chosen=True" in trace.tree()
    states = [s.notes["state"] for s in thoughts if "state" in s.notes]
    assert len(states) == len(set(states)) == facts(row)["states"]


def test_depth_first_goes_back_from_dead_ends() -> None:
    def misled(prompt: str, answer: str) -> float:  # likes what cannot reach 24 first
        return 0.0 if (answer == "sure") != (oracle(prompt, "sure") == 0.0) else -1.0

    model = ScriptedModel(all_moves, misled)
    search = TreeSearch("depth", beam=100)
    (row,) = tree(model, search=search).predict(examples("2 3 5 12"))
    assert is_solution(row.label or "", [2, 3, 5, 12])
    assert facts(row)["backtracked"] > 0
    back = [s for s in Trace.from_record(row.trace) if s.notes.get("backtracked")]
    assert len(back) == facts(row)["backtracked"]
    assert not any(s.notes.get("chosen") for s in back)


def test_a_threshold_prunes() -> None:
    model = ScriptedModel(all_moves, oracle)
    puzzle = examples("1 1 1 8")
    free = tree(model, search=TreeSearch("depth", beam=100)).predict(puzzle)[0]
    model = ScriptedModel(all_moves, oracle)
    strict = tree(model, search=TreeSearch("depth", beam=100, threshold=10.0)).predict(puzzle)[0]
    assert free.label == strict.label
    pruned = [s.notes.get("pruned") for s in Trace.from_record(strict.trace)]
    assert "below the threshold" in pruned
    hopeless = tree(model, search=TreeSearch(threshold=10.0)).predict(examples("1 1 1 1"))[0]
    assert facts(hopeless)["ended"] == "exhausted"
    assert not is_solution(hopeless.label or "", [1, 1, 1, 1])


@pytest.mark.parametrize("method", ["breadth", "depth"])
def test_the_budget_holds(method: Any) -> None:
    def asked(model: ScriptedModel) -> int:
        return sum(map(len, model.calls)) + len(model.scored)

    sizes = []
    for limit in (0, 1, 7, 40):
        model = ScriptedModel(all_moves, lambda prompt, answer: -1.0)
        search = TreeSearch(method, beam=3, budget=Budget(asks=limit))
        (row,) = tree(model, search=search).predict(examples("3 3 8 8"))
        assert asked(model) == facts(row)["asks"] <= limit
        if limit < 40:
            assert facts(row)["ended"] == "budget"
        sizes.append(facts(row)["depth"])
    assert sizes[0] == 0
    assert sizes[-1] >= 2  # the best so far is the answer
    for limit in (30, 300, 900):
        model = ScriptedModel(all_moves, lambda prompt, answer: -1.0)
        search = TreeSearch(method, beam=3, budget=Budget(tokens=limit))
        thoughts = ThoughtGenerator(PROPOSE, count=100, decoding=Decoding(max_tokens=200))
        (row,) = tree(model, search=search, thoughts=thoughts).predict(examples("3 3 8 8"))
        assert row.tokens_in + row.tokens_out <= limit


def test_states_are_a_budget_too() -> None:
    thoughts, judgement = ThoughtGenerator(method="moves"), StateEvaluator(method="random")
    search = TreeSearch("depth", beam=100, budget=Budget(states=4))
    strategy = tree(ScriptedModel(), thoughts=thoughts, judgement=judgement, search=search)
    (row,) = strategy.predict(examples("3 3 8 8"))
    assert facts(row)["ended"] == "budget" and facts(row)["asks"] == 0
    whole = TreeSearch("depth", beam=100)
    strategy = tree(ScriptedModel(), thoughts=thoughts, judgement=judgement, search=whole)
    (row,) = strategy.predict(examples("3 3 8 8"))
    assert is_solution(row.label or "", [3, 3, 8, 8])  # everything is tried


def test_results_are_the_same_in_any_batch() -> None:
    def some(prompt: str, sample: int) -> str:
        lines = all_moves(prompt, sample).splitlines()
        return "\n".join(lines[sample % 5 :: 3])

    votes, chance = StateEvaluator(VOTE, "vote"), StateEvaluator(method="random", seed=3)
    for judgement in (StateEvaluator(VALUE), chance, votes):
        for method in ("breadth", "depth"):
            options = {"judgement": judgement, "search": TreeSearch(method, beam=2)}  # type: ignore[arg-type]
            rate = lambda prompt, answer: -float(len(prompt) % 7 + len(answer))  # noqa: E731
            together = tree(ScriptedModel(some, rate), **options).predict(examples(*PUZZLES))
            for one, row in zip(examples(*PUZZLES), together, strict=True):
                (alone,) = tree(ScriptedModel(some, rate), **options).predict([one])
                assert (alone.label, steps(alone)) == (row.label, steps(row))


def test_random_values_change_with_the_seed_alone() -> None:
    def paths(seed: int) -> list[str | None]:
        judgement = StateEvaluator(method="random", seed=seed)
        thoughts, search = ThoughtGenerator(method="moves"), TreeSearch(beam=2)
        strategy = tree(ScriptedModel(), thoughts=thoughts, judgement=judgement, search=search)
        return strategy.predict(examples(*PUZZLES)).labels

    assert paths(1) == paths(1)
    assert paths(1) != paths(2)


def test_failures_stay_with_their_example_and_branch() -> None:
    def write(prompt: str, sample: int) -> str:
        if "Numbers: 1 1 1 8" in prompt:
            return "!the endpoint is gone"
        if "Numbers: 3 3 8 8" in prompt:
            return ""
        if "Numbers: 2 3 5 12" in prompt:
            return "I do not know"
        return "!busy" if prompt.startswith("Numbers: 4 4") else all_moves(prompt, sample)

    rows = tree(ScriptedModel(write, oracle)).predict(
        examples("4 9 10 13", "1 1 1 8", "3 3 8 8", "2 3 5 12")
    )
    assert is_solution(rows[0].label or "", [4, 9, 10, 13])
    assert rows[1].error == "the endpoint is gone"
    assert rows[2].error is None and "no thought could be read" in str(rows[2].trace)
    assert rows[3].error is None and rows[3].label is None and rows[3].unparsed
    busy = [s for s in Trace.from_record(rows[0].trace) if s.notes.get("error") == "busy"]
    assert len(busy) == facts(rows[0])["failed_asks"] > 0
    long = ScriptedModel(all_moves, oracle, max_tokens=6)
    (row,) = tree(long).predict(examples("4 9 10 13"))
    told = [str(s.notes.get("error")) for s in Trace.from_record(row.trace)]
    assert any("tokens and scripted takes 6" in text for text in told)
    assert "not judged" in [s.notes.get("pruned") for s in Trace.from_record(row.trace)]


def test_saved_and_loaded(tmp_path: Any) -> None:
    model = ScriptedModel(all_moves, oracle)
    made = tree(
        model,
        thoughts=ThoughtGenerator(
            PROPOSE, count=20, decoding=Decoding(max_tokens=99, stop=("\n\n",))
        ),
        judgement=StateEvaluator(VALUE, worths={"sure": 3.0, "likely": 1.0, "impossible": 0.0}),
        search=TreeSearch("depth", 3, 4, 0.5, Budget(asks=30, states=9)),
        parser=RegexParser("(.*)"),
    )
    made.save(tmp_path)
    again = load(tmp_path, model)
    assert isinstance(again, TreeOfThoughts)
    assert again.settings() == made.settings()
    assert (again.search, again.thoughts, again.judgement) == (
        made.search, made.thoughts, made.judgement,
    )  # fmt: skip
    assert again.predict(examples("4 4 6 8"))[0].label == made.predict(examples("4 4 6 8"))[0].label


def test_what_cannot_work_is_refused(masked: Any) -> None:
    with pytest.raises(
        CapabilityError, match="is a masked model and cannot generate; use a causal"
    ):
        tree(masked)
    model = ScriptedModel()
    with pytest.raises(InputError, match="need a template"):
        ThoughtGenerator(method="sample")
    with pytest.raises(InputError, match="temperature above 0"):
        ThoughtGenerator(PROPOSE, "sample", 3)
    with pytest.raises(InputError, match="judged by 'vote' with a template"):
        StateEvaluator(method="vote")
    with pytest.raises(InputError, match="give every label one worth"):
        StateEvaluator(VALUE, worths={"a": 1.0}, verbalizer=StateEvaluator(VALUE).verbalizer)
    with pytest.raises(InputError, match=r"write \{candidates\} in it"):
        tree(model, judgement=StateEvaluator(VALUE, "vote"))
    with pytest.raises(InputError, match="lists none"):
        TreeOfThoughts(ThoughtGenerator(method="moves"), StateEvaluator(method="random"), model)
    with pytest.raises(InputError, match="unknown search 'wide'"):
        TreeSearch("wide")  # type: ignore[arg-type]
    (row,) = tree(model).predict([{"numbers": "four"}])
    assert row.unparsed and "has numbers such as '4 5 6 10'" in facts(row)["why"]


def test_a_real_model_writes_the_same_tree_in_any_batch(causal: Any) -> None:
    made = TreeOfThoughts(
        ThoughtGenerator(Template("{text} {steps}{mask}"), "sample", 2,
                 Decoding(max_tokens=4, temperature=1.0, seed=5)),
        StateEvaluator(Template("{text} {steps}It was {mask}"), worths={"good": 1.0, "bad": 0.0}),
        causal,
        search=TreeSearch(depth=2, beam=2),
    )  # fmt: skip
    texts = ["the film was", "a dull plot", "the soup"]
    together = made.predict(texts)
    assert not together.errors
    for text, row in zip(texts, together, strict=True):
        (alone,) = made.predict([text])
        assert alone.label == row.label
        assert [s.reply for s in Trace.from_record(alone.trace)] == [
            s.reply for s in Trace.from_record(row.trace)
        ]  # fmt: skip
