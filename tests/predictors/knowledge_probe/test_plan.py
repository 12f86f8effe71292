"""What of a relation is asked: usable templates, facts that are counted, learned from, left out."""

from __future__ import annotations

from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.knowledge_probe.answer_space import NOT_WRITABLE, SEVERAL_TOKENS
from promptlab.predictors.knowledge_probe.plan import (
    MIN_TRAIN_FACTS,
    NOT_COMMON,
    NOT_DRAWN,
    RelationPlan,
    plan_relation,
    usable_templates,
)
from promptlab.predictors.knowledge_probe.relation import Relation
from tests.helpers.scripted_model import ScriptedModel

TEMPLATES = ("the [X] was [Y] .", "a [Y] [X]")
WORDS = ("great", "terrible", "good", "bad")


def relation(count: int = 40, templates: tuple[str, ...] = TEMPLATES) -> Relation:
    return Relation("is", [(f"thing {n}", WORDS[n % 4]) for n in range(count)], templates)


def plan(given: Relation, model: Any = None, **options: Any) -> RelationPlan:
    settings: dict[str, Any] = {"train_share": 0.25, "limit": None, "seed": 13} | options
    answers = settings.pop("answers", "closed")
    return plan_relation(given, model or ScriptedModel(), answers, **settings)


def test_no_fact_is_on_two_sides() -> None:
    facts = [(f"thing {n % 20}", f"{WORDS[n % 4]} {n}") for n in range(60)]
    found = plan(Relation("has", facts, TEMPLATES))
    assert sorted((*found.train, *found.counted)) == list(range(60)) and not found.naming
    train, counted = (
        {found.facts[n].subject for n in side} for side in (found.train, found.counted)
    )
    assert len(train) == 5 and not train & counted
    assert plan(Relation("has", facts, TEMPLATES)).train == found.train
    assert plan(Relation("has", facts, TEMPLATES), seed=14).train != found.train


@pytest.mark.parametrize(
    ("given", "options"),
    [
        (relation(40, TEMPLATES[:1]), {}),  # one prompt has no weights to learn
        (relation(), {"train_share": 0.0}),
        (relation(4 * MIN_TRAIN_FACTS - 4), {}),  # too few to learn from
        (relation(8), {"train_share": 0.99}),  # none would be left
    ],
)
def test_all_are_counted_where_nothing_is_learned(given: Relation, options: Any) -> None:
    found = plan(given, **options)
    assert not found.train and len(found.counted) == len(given.facts)


def test_facts_whose_subject_names_the_object_are_counted_apart() -> None:
    facts = [("Mexico", "Mexico City"), ("Guatemala City", "guatemala"), ("Peru", "Lima")]
    found = plan(Relation("r", facts, TEMPLATES))
    assert found.counted == (0, 2) and found.naming == (1,)
    assert found.space.size == 3


def test_other_right_answers_of_the_subject() -> None:
    facts = [("Peru", "Chile"), ("Peru", "Brazil"), ("Bolivia", "Chile"), ("Peru", "Ecuador")]
    found = plan(Relation("borders", facts, TEMPLATES))
    assert found.columns.tolist() == [0, 1, 0, 2]
    assert found.others == ((1, 2), (0, 2), (), (0, 1))


def test_a_limit_draws_facts_and_keeps_the_candidates() -> None:
    found = plan(relation(40), limit=6, train_share=0.0)
    assert len(found.facts) == 6 and found.left_out == {NOT_DRAWN: 34}
    assert found.space.size == 4
    assert plan(relation(40), limit=6, seed=14).facts != found.facts
    assert len(plan(relation(5), limit=6).facts) == 5


def test_what_is_left_out_is_counted(masked: LocalModel) -> None:
    facts = [("film", "great"), ("soup", "漢"), ("joke", "soup spectacle"), ("plot", "good")]
    given = Relation("r", [*facts, ("plot", "good"), ("x", "")], TEMPLATES)
    closed = plan(given, masked)
    assert len(closed.facts) == 3
    assert closed.left_out == {"without a subject or an object": 1, "repeated": 1, NOT_WRITABLE: 1}
    opened = plan(given, masked, answers="open")
    assert [fact.object for fact in opened.facts] == ["great", "good"]
    assert opened.left_out[SEVERAL_TOKENS] == 2
    common = plan(given, masked, common={"great"})
    assert [fact.object for fact in common.facts] == ["great"]
    assert common.left_out[NOT_COMMON] == 3 and common.space.size == 1
    with pytest.raises(InputError, match=r"no fact of r can be asked of .*3 with an object"):
        plan(Relation("r", facts[1:], TEMPLATES), masked, common=set())


def test_a_causal_model_does_not_see_behind_an_open_slot(
    causal: LocalModel, masked: LocalModel
) -> None:
    given = relation(4)
    found, reasons = usable_templates(given, causal, "open")
    assert list(found) == [0]
    assert reasons == {"a {mask} {subject}": "the subject stands behind the slot, which the model "
                       "does not see"}  # fmt: skip
    for model, answers in ((causal, "closed"), (masked, "open"), (masked, "closed")):
        assert list(usable_templates(given, model, answers)[0]) == [0, 1]  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"can answer no template of is: 'a \{mask\} \{subject\}'"):
        usable_templates(relation(4, TEMPLATES[1:]), causal, "open")


def test_an_encoder_decoder_without_sentinels_fills_no_cloze(fresh: Any) -> None:
    found, reasons = usable_templates(
        relation(4, ("the [X] was [Y]", *TEMPLATES)), fresh("tiny_bart"), "closed"
    )
    assert list(found) == [0] and len(reasons) == 2


def test_weights_go_with_the_templates_that_are_used(causal: LocalModel) -> None:
    facts = [("film", "great"), ("soup", "good")]
    templates = ("a [Y] [X]", "the [X] was [Y]", "[X] : [Y]")
    given = Relation("r", facts, templates, [0.5, 0.2, 0.3])
    assert plan(given, causal, answers="open").weights == (0.2, 0.3)
    assert plan(given, causal).weights == (0.5, 0.2, 0.3)


def test_long_subjects_are_cut_to_the_window(masked: LocalModel) -> None:
    given = Relation("r", [("film " * 600, "great"), ("soup", "good")], TEMPLATES)
    found = plan(given, masked)
    assert found.prompts[0][0].shortened == ("subject",)
    masked.score(found.prompts[0], ["great"])
