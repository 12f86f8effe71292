"""The benchmarks of sampling and of tree searches, on tiny models and scripted ones."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pytest

from promptlab.data.example import Example
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt, Slot, Text
from promptlab.prompts.template import Template
from promptlab.strategies.tree_of_thoughts.evaluation import StateEvaluator
from promptlab.strategies.tree_of_thoughts.search import TreeSearch
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.strategies.tree_of_thoughts.thoughts import ThoughtGenerator
from promptlab.studies.bench import tree
from promptlab.studies.bench.adaptive_votes import (
    RULES,
    Remembered,
    sum_votes,
)
from promptlab.studies.bench.roofline import Roofline, forward_cost
from promptlab.studies.bench.self_consistency import TIMED, compare
from tests.helpers.scripted_model import ScriptedModel
from tests.helpers.tiny_models import Pair

Fresh = Callable[..., LocalModel]


@pytest.fixture(autouse=True)
def quick_roofline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's peak is of no interest here."""
    monkeypatch.setattr(Roofline, "measure", lambda *device: Roofline(1e9, 1e9, 1))


def answered(prompt: str, sample: int) -> str:
    """Right, but for three of eight samples where the first number is large."""
    first, _, second = prompt.rsplit("\n", 1)[-1].partition(" = ")[0].split()
    wrong = int(first) > 15 and sample in (1, 4, 6)
    return str(int(first) + int(second) + wrong)


def test_rules_vote_on_the_same_samples() -> None:
    model = ScriptedModel(answered)
    found = sum_votes(model, questions=30, samples=8, seed=1)
    assert sum(map(len, model.calls)) <= 8 * 30  # drawn once, for all rules
    assert found["accuracy_of_all"] == 1.0
    assert len(found["rules"]) == len(RULES)
    for rule in found["rules"].values():
        assert rule["accuracy"] == 1.0 and rule["p_value"] == 1.0
    saved = [rule["saved"] for rule in found["rules"].values()]
    assert saved == sorted(saved, reverse=True) and 3 / 8 >= saved[-1] > 0
    assert "reached" not in found


def test_a_remembered_model_is_the_model() -> None:
    model = ScriptedModel(lambda prompt, sample: f"{prompt} {sample}", max_tokens=77)
    remembered = Remembered(model)
    prompt = Prompt((Text("one two"), Slot()))
    assert remembered.count_tokens(prompt) == model.count_tokens(prompt)
    assert remembered.truncate("one two three", 2) == model.truncate("one two three", 2)
    assert remembered.score([prompt], ["a"]).logprobs == model.score([prompt], ["a"]).logprobs
    remembered.check([prompt], ["a"])


@pytest.mark.parametrize("kind", TIMED)
def test_samples_beside_transformers(kind: str, fresh: Fresh, tiny_gpt2: Pair) -> None:
    model = fresh("tiny_gpt2")
    prompt = Prompt((Text("a long story of soup and of many other things that were cold"), Slot()))
    (ids,) = model.prompt_token_ids([prompt])
    options = argparse.Namespace(tokens=4, samples=3, warm_up=0, repeats=1, model="tiny")
    cost = forward_cost(tiny_gpt2[0].config, masked=False)
    found = compare(kind, model, tiny_gpt2, prompt, ids, cost, options)
    assert found.max_difference < 1e-4
    steps = 3 * 3 if kind == "whole" else 0
    again = 2 if kind == "one_by_one" else 0  # the last token of the prompt is computed each time
    assert found.details["computed_tokens"] <= len(ids) + steps + again
    assert found.peer_flops > found.own_flops


def test_a_search_with_and_without_kept_states(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    strategy = TreeOfThoughts(
        ThoughtGenerator(method="moves"),
        StateEvaluator(Template("All of the numbers {numbers} were used until {state} : {mask}")),
        model,
        search=TreeSearch("depth", depth=3, beam=1),
        problem="game24",
    )
    puzzles = [Example(text, {"numbers": text}) for text in ("2 7 5 1",)]
    found = {way: tree._searched(strategy, model, puzzles, way) for way in tree.WAYS}
    assert all(one.tree == found["kept"].tree for one in found.values())
    np.testing.assert_allclose(found["kept"].values, found["whole"].values, atol=1e-4)
    computed = [found[way].computed for way in tree.WAYS]
    assert computed == sorted(computed) and computed[0] < computed[1] < computed[2]
    assert model.engine.kv_cache is not None


def test_a_row_of_the_tree_benchmark(fresh: Fresh, capsys: pytest.CaptureFixture[str]) -> None:
    model = fresh("tiny_causal")
    model.max_tokens = 4096  # its positions are relative
    options = argparse.Namespace(thoughts=3, tokens=4, beam=2, puzzles=1, repeats=1, model="tiny")
    row = tree._row(model, "breadth", options)
    assert row["same_trees"] and row["max_difference"] == 0.0  # nothing legal was proposed
    assert row["prompt_tokens"]["kept"] == row["prompt_tokens"]["whole"] > 100
    for as_json in (True, False):
        tree._print({"breadth": row}, as_json=as_json)
    shown = capsys.readouterr().out
    assert '"benchmark": "tree"' in shown and "prompt tokens computed" in shown
