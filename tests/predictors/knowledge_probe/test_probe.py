"""The whole probe: on every family, with its controls, a common vocabulary, and bad input."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, CapabilityError, InputError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictors import Relation, probe_knowledge
from promptlab.predictors.knowledge_probe.run import LEARNED, MEAN
from tests.helpers.scripted_model import ScriptedModel

THINGS = ("film", "soup", "joke", "plot", "hour", "movie", "journey", "minute")
WORDS = ("great", "terrible", "good", "bad")
TEMPLATES = ("the [X] was [Y] .", "a [X] so [Y]")


def relation(name: str = "is", count: int = 12, templates: tuple[str, ...] = TEMPLATES) -> Relation:
    facts = [(f"{THINGS[n % 8]} {n}", WORDS[n % 4]) for n in range(count)]
    return Relation(name, facts, templates)


@pytest.mark.parametrize("name", ["masked", "causal", "gpt2", "seq2seq"])
@pytest.mark.parametrize("answers", ["closed", "open"])
def test_every_family_with_both_controls(
    name: str, answers: Any, request: pytest.FixtureRequest
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    told: list[tuple[str, int, int]] = []
    found = probe_knowledge(
        model,
        [relation(count=40)],
        answers=answers,
        on_progress=lambda *event: told.append(event),
    )
    assert found.runs == ["model", "random_weights", "random_embeddings"]
    (one,) = found.relations
    assert len(one.plan.train) == 10 and found.figures().n == 30
    ranks = [one.runs[run].alone.tolist() for run in found.runs]
    assert ranks[0] != ranks[1] and ranks[0] != ranks[2]
    assert {run for run, _, _ in told} == set(found.runs)
    assert [told[-1][1], told[-1][2]] == [120, 120]
    record = json.loads(json.dumps(found.record()))
    overall = record["overall"]["random_weights"][LEARNED]["facts"]
    assert overall["n"] == 30 and 0 <= overall["p_at_1_ci95"][0] <= overall["p_at_1"]
    prompts = record["relations"][0]["runs"]["model"]["prompts"]
    assert sum(prompt[LEARNED] for prompt in prompts) == pytest.approx(1, abs=1e-4)
    assert record["comparisons"]["random_weights"]["n"] == 30


def test_a_probe_repeats_itself(masked: LocalModel) -> None:
    first, again = (probe_knowledge(masked, [relation(count=40)]).record() for _ in range(2))
    assert first == again


def test_what_a_model_knows_is_found_and_told_apart() -> None:
    """A model that knows all against what it would be without knowledge."""
    facts = dict(relation(count=20).facts)
    model = ScriptedModel(
        rate=lambda prompt, answer: 0.0 if facts[" ".join(prompt.split()[1:3])] == answer else -3.0
    )
    found = probe_knowledge(model, [relation(count=20)], answers="closed")
    assert found.figures().p_at_1 == 1 and found.figures().mrr == 1
    assert found.runs == ["model"]
    assert set(found.unavailable) == {"random_weights", "random_embeddings"}
    assert "no weights here" in found.unavailable["random_weights"]
    nothing = ScriptedModel(rate=lambda prompt, answer: -1.0)
    none = probe_knowledge(nothing, [relation(count=20)], answers="closed", controls=())
    assert none.figures().p_at_1 == 0 and none.figures().mrr == pytest.approx(1 / 2.5)
    assert not none.unavailable


def test_over_facts_and_over_relations() -> None:
    """Right on every fact of one relation (3) and on none of the other one (9)."""
    model = ScriptedModel(
        rate=lambda prompt, answer: 0.0 if (answer == "x") == ("knows" in prompt) else -1.0
    )
    knows = Relation("a", [(f"k{n}", "x") for n in range(3)] + [("other", "y")], ["[X] knows [Y]"])
    knows = Relation("a", [*knows.facts[:3], ("z", "x")], ["[X] knows [Y]", "[X] knows: [Y]"])
    errs = Relation("b", [(f"e{n}", "x") for n in range(11)] + [("e", "y")], ["[X] errs [Y]"])
    found = probe_knowledge(model, [knows, errs], answers="closed", controls=())
    assert found.figures().n == 16
    assert found.figures().p_at_1 == pytest.approx(5 / 16)
    over = found.over_relations()
    assert over["p_at_1"] == pytest.approx((1 + 1 / 12) / 2) and over["relations"] == 2
    assert over["p_at_1_ci95"] is None
    assert found.methods == [MEAN]
    assert found.relations[1].most_frequent == {"object": "x", "p_at_1": 11 / 12}


def test_a_common_vocabulary_loads_one_model_after_the_other(
    masked: LocalModel, gpt2: LocalModel, causal: LocalModel
) -> None:
    facts = [("film", "great"), ("soup", "good"), ("joke", "recommended"), ("plot", "Warsaw")]
    given = Relation("r", facts, ["it was [X] , [Y]"])
    alone = probe_knowledge(masked, [given], answers="open", controls=())
    taken: list[str] = []

    def others() -> Iterator[LanguageModel]:
        for model in (gpt2, causal):
            taken.append(model.name)
            yield model

    found = probe_knowledge(
        masked, [given], answers="open", controls=(), common_vocabulary=others()
    )
    assert taken == list(found.common) == [gpt2.name, causal.name]
    (one,), (before,) = found.relations, alone.relations
    whole = {
        answer
        for answer in ("great", "good", "recommended", "Warsaw")
        if all(
            len(m.tokenizer(b + answer, add_special_tokens=False).input_ids) == 1
            for m, b in ((masked, ""), (gpt2, " "), (causal, " "))
        )
    }
    assert {fact.object for fact in one.plan.facts} == whole and "great" in whole
    assert one.plan.space.size < before.plan.space.size
    assert sum(one.plan.left_out.values()) == 4 - len(whole)
    closed = probe_knowledge(
        masked, [given], answers="closed", controls=(), common_vocabulary=[gpt2]
    )
    assert closed.relations[0].plan.space.size == len(closed.relations[0].plan.facts)
    with pytest.raises(CapabilityError, match="does not show its tokens"):
        probe_knowledge(masked, [given], common_vocabulary=[ScriptedModel()])


def test_a_template_that_begins_with_its_slot_asks_for_common_words_all_the_same(
    masked: LocalModel, gpt2: LocalModel
) -> None:
    """Behind a blank *great* is one token of both, at the beginning of a text of one of them."""
    beginning = gpt2.tokenizer("terrible", add_special_tokens=False).input_ids
    assert len(gpt2.tokenizer(" terrible", add_special_tokens=False).input_ids) == 1
    assert len(beginning) > 1
    given = Relation("r", [("film", "terrible"), ("soup", "good")], ["[Y] was the [X]"])
    found = probe_knowledge(masked, [given], controls=(), common_vocabulary=[gpt2])
    assert found.figures().n == 2


def test_it_stops_when_asked_to(masked: LocalModel) -> None:
    cancellation = Cancellation()
    seen: list[str] = []

    def stop(run: str, done: int, total: int) -> None:
        seen.append(run)
        cancellation.request()

    with pytest.raises(Cancelled):
        probe_knowledge(masked, [relation()], on_progress=stop, cancellation=cancellation)
    assert seen == ["model"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"answers": "both"}, "closed or open"),
        ({"controls": ["random"]}, "'random' is unknown"),
        ({"train_share": 1.0}, "from 0 to below 1"),
        ({"limit": 0}, "at least 1"),
        ({"relations": []}, "no relations"),
        ({"relations": [relation(), relation()]}, "two relations are called 'is'"),
        ({"relations": [relation(count=0)]}, "has no facts"),
        ({"relations": [relation(templates=())]}, "has no templates"),
    ],
)
def test_bad_input(options: dict[str, Any], told: str, masked: LocalModel) -> None:
    with pytest.raises(InputError, match=told):
        probe_knowledge(masked, options.pop("relations", [relation()]), **options)


def test_a_model_that_scores_nothing_is_refused() -> None:
    model = ScriptedModel()
    model.capabilities = frozenset({"generate"})
    with pytest.raises(CapabilityError, match="cannot score"):
        probe_knowledge(model, [relation()], answers="closed")


def test_only_facts_that_name_their_object() -> None:
    given = Relation("r", [("Mexico City", "Mexico")], ["[X] is in [Y]"])
    found = probe_knowledge(ScriptedModel(), [given], answers="closed")
    assert found.figures().n == 0 and found.figures().p_at_1 is None
    assert found.record()["relations"][0]["most_frequent_object"]["object"] is None
    naming = found.record()["relations"][0]["runs"]["model"]["subject_names_object"]
    assert naming["n"] == 1 and naming["p_at_1"] == 1
