"""Ranks of prompts alone and together on tables worked by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from promptlab.predictors.knowledge_probe.plan import RelationPlan, plan_relation
from promptlab.predictors.knowledge_probe.relation import Relation
from promptlab.predictors.knowledge_probe.run import (
    CHOSEN,
    GIVEN,
    LEARNED,
    MEAN,
    RelationRun,
    run_relation,
)
from tests.helpers.scripted_model import ScriptedModel

Table = Mapping[str, Mapping[str, tuple[float, ...]]]
"""By template and subject the probabilities of the answers a, b, c."""


def scripted(table: Table) -> ScriptedModel:
    def rate(prompt: str, answer: str) -> float:
        template, subject = prompt.split()[:2]
        return math.log(table[template][subject]["abc".index(answer)])

    return ScriptedModel(rate=rate)


def planned(
    table: Table, facts: list[tuple[str, str]], share: float = 0.0, **options: Any
) -> tuple[RelationPlan, ScriptedModel]:
    model = scripted(table)
    relation = Relation("r", facts, [f"{name} [X] [Y]" for name in table], **options)
    made = plan_relation(relation, model, "closed", train_share=share, limit=None, seed=13)
    return made, model


def run(
    table: Table, facts: list[tuple[str, str]], share: float = 0.0, **options: Any
) -> RelationRun:
    return run_relation(*planned(table, facts, share, **options), lambda count: None)


BY_HAND = {
    "one": {"s": (0.6, 0.3, 0.1), "t": (0.2, 0.7, 0.1), "u": (0.2, 0.2, 0.6)},
    "two": {"s": (0.1, 0.3, 0.6), "t": (0.5, 0.4, 0.1), "u": (0.4, 0.4, 0.2)},
}
FACTS = [("s", "b"), ("t", "a"), ("u", "c")]


def test_prompts_alone_and_their_mean() -> None:
    """s: .35 .30 .35; t: .35 .55 .10; u: .30 .30 .40."""
    found = run(BY_HAND, FACTS)
    assert found.alone.tolist() == [[2, 2], [2, 1], [1, 3]]
    assert {name: ranks.tolist() for name, ranks in found.together.items()} == {MEAN: [3, 2, 1]}
    assert found.weights is None and found.chosen is None


def test_ties_share_their_places() -> None:
    found = run(BY_HAND, [("s", "a"), ("u", "b"), ("t", "c")])
    assert found.alone.tolist() == [[1, 3], [2.5, 1.5], [3, 3]]
    assert found.together[MEAN].tolist() == [1.5, 2.5, 3]


def test_weights_of_the_file() -> None:
    """Three to one: s .475 .3 .225; t .275 .625 .1; u .25 .25 .5."""
    found = run(BY_HAND, [("s", "c"), ("t", "a"), ("u", "c"), ("u", "b")], weights=[3.0, 1.0])
    # b and c are both right for u: neither stands in the other's way
    assert found.together[GIVEN].tolist() == [3, 2, 1, 1.5]
    assert run(BY_HAND, FACTS, weights=[0.0, 2.0]).together[GIVEN].tolist() == [2, 1, 3]
    assert GIVEN not in run(BY_HAND, FACTS, weights=[0.0, 0.0]).together


def test_one_prompt_is_its_own_mean() -> None:
    found = run({"one": BY_HAND["one"]}, FACTS)
    assert found.alone[:, 0].tolist() == found.together[MEAN].tolist() == [2, 2, 1]


def knowing(count: int) -> Table:
    """One prompt is right by .8, the other one wrong by .9, whatever the subject."""
    return {
        "knows": {f"s{n}": (0.8, 0.1, 0.1) for n in range(count)},
        "errs": {f"s{n}": (0.02, 0.08, 0.9) for n in range(count)},
    }


def test_weights_are_learned_on_other_facts_than_are_counted() -> None:
    facts = [(f"s{n}", "a") for n in range(40)]
    facts[3:5] = [("s3", "b"), ("s4", "c")]
    plan, model = planned(knowing(40), facts, 0.25)
    found = run_relation(plan, model, lambda count: None)
    assert len(plan.train) == 10 and not set(plan.train) & set(plan.counted)
    assert found.weights == pytest.approx((1, 0), abs=1e-3) and found.chosen == 0
    assert [len(ranks) for ranks in found.together.values()] == [30] * 3
    right = np.array([facts[n][1] == "a" for n in plan.counted])
    assert (found.together[LEARNED][right] == 1).all()
    assert (found.together[CHOSEN] == found.alone[:, 0]).all()
    assert (found.together[MEAN][right] == 2).all()  # .41 .09 .5


def test_learned_weights_are_the_best_mixture() -> None:
    """Where one prompt knows n facts and the other one m others, n / (n + m) is the best weight."""
    knows, errs, same = (0.9, 0.05, 0.05), (0.0001, 0.4999, 0.5), (0.2, 0.4, 0.4)
    first = {f"s{n}": knows if n % 4 else errs for n in range(80)}
    other = {f"s{n}": errs if n % 4 else knows for n in range(80)}
    both = {"s80": same, "s81": same}  # weights change nothing there
    facts = [*((f"s{n}", "a") for n in range(80)), ("s80", "b"), ("s81", "c")]
    plan, model = planned({"first": first | both, "other": other | both}, facts, 0.5)
    found = run_relation(plan, model, lambda count: None)
    asked = [int(plan.facts[n].subject[1:]) for n in plan.train]
    share = np.mean([n % 4 > 0 for n in asked if n < 80])
    assert found.weights == pytest.approx((share, 1 - share), abs=2e-3)
    right = np.array([plan.facts[n].object == "a" for n in plan.counted])
    # the weaker prompt's .9 counts a quarter, against the other one's .5 of c: .225 and .375
    weak = np.array([int(plan.facts[n].subject[1:]) % 4 == 0 for n in plan.counted])
    assert (found.together[LEARNED][right & ~weak] == 1).all()
    assert (found.together[LEARNED][right & weak] == 3).all()


def test_facts_that_name_their_object_stand_apart() -> None:
    table = {"one": {"s": (0.6, 0.3, 0.1), "has-b": (0.2, 0.7, 0.1)}}
    found = run(table, [("s", "c"), ("has-b", "b"), ("has-b", "a")])
    assert found.alone.tolist() == [[3]]
    assert found.naming.tolist() == [1, 1]


def test_blocks_change_nothing_and_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, model = planned(knowing(40), [(f"s{n}", "abc"[n % 3]) for n in range(40)], 0.25)
    whole = run_relation(plan, model, lambda count: None)
    monkeypatch.setattr(type(plan.space), "prompts_at_once", 6)
    told: list[int] = []
    parts = run_relation(plan, model, told.append)
    assert told == [3, 3, 3, 1, *[3] * 10]
    np.testing.assert_array_equal(whole.alone, parts.alone)
    for name, ranks in whole.together.items():
        np.testing.assert_array_equal(ranks, parts.together[name])


def test_answers_too_unlikely_for_a_probability_have_their_places() -> None:
    rates = {"a": -2000.0, "b": -1900.0, "c": -3.0}
    model = ScriptedModel(rate=lambda prompt, answer: rates[answer])
    relation = Relation("r", [("s", "a"), ("t", "b"), ("u", "c")], ["one [X] [Y]", "two [X] [Y]"])
    plan = plan_relation(relation, model, "closed", train_share=0, limit=None, seed=1)
    assert run_relation(plan, model, lambda count: None).together[MEAN].tolist() == [3, 2, 1]


def test_what_comes_first() -> None:
    """Of answers that tie the first one is shown: b, a, c are the objects, in this order."""
    found, plan = run(BY_HAND, FACTS), planned(BY_HAND, FACTS)[0]
    assert [plan.space.answers[place] for place in found.first] == ["a", "b", "c"]
