"""The kind tree_of_thoughts in a study file: dimensions, candidates, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptlab.candidates.base import find_kind
from promptlab.candidates.tree_of_thoughts import TreeOfThoughtsKind, TreeSettings
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, StudyError
from promptlab.strategies.tree_of_thoughts.node import Budget
from promptlab.strategies.tree_of_thoughts.strategy import TreeOfThoughts
from promptlab.study.spec.load import find_study_file, load_spec
from promptlab.study.spec.space import SearchSpace
from tests.helpers.scripted_model import ScriptedModel

ROWS = [
    ("4 9 10 13", "(10 - 4) * (13 - 9)"),
    ("4 4 6 8", "(4 + 8) * (6 - 4)"),
    ("6 6 6 6", "6 + 6 + 6 + 6"),
]


def task(field: str) -> Task:
    rows = [Example(str(n), {field: text}, label) for n, (text, label) in enumerate(ROWS)]
    return Task("game", (rows[0],), (rows[1],), (rows[2],), (), "game24", (field,))


TASK = task("numbers")


def group(**changes: Any) -> TreeSettings:
    document: dict[str, Any] = {
        "kind": "tree_of_thoughts",
        "problem": "game24",
        "propose": ["game24/propose"],
        "value": ["game24/value"],
        "vote": ["game24/vote"],
    }
    return TreeSettings(**document | changes)


def test_the_dimensions_make_different_candidates() -> None:
    space = SearchSpace(
        [
            group(
                thoughts=["propose", "sample", "moves"],
                sample=["game24/next-step"],
                evaluation=["value", "vote", "vote_text", "random"],
                search=["breadth", "depth"],
                beam=[2, 4],
                threshold=[None, 0.5],
                seed=[1, 2],
                samples=[1, 3],
                temperature=[0.5, 1.0],
            )
        ],
        TASK,
    )
    found = space.enumerate(1000)
    assert found is not None
    # Judgements: value, vote, two seeds, vote_text of one sample, of three at two temperatures;
    # beside sampled thoughts the temperature is the thoughts', too.
    assert len(found) == (7 + 7 + 2 * 6) * 2 * 2 * 2
    names = {params["tree_of_thoughts.thoughts"] for params in found}
    assert names == {"propose", "sample", "moves"}


def test_a_candidate_is_the_predictors_settings() -> None:
    kind = TreeOfThoughtsKind(
        group(
            beam=[2], search=["depth"], threshold=[0.5], budget={"asks": 9, "states": 4},
            worths={"sure": 2.0, "likely": 1.0, "impossible": 0.0},
            parser={"type": "regex", "pattern": "(.*)"}, answer="{steps}So: {mask}", chat=[True],
        ),
        TASK,
    )  # fmt: skip
    candidate = SearchSpace([kind.settings], TASK).single()
    assert candidate.name == (
        "tree: propose · value · depth first, beam 2, depth 3 · threshold 0.5 · chat"
    )
    model = ScriptedModel(lambda prompt, sample: "4 + 6 = 10")
    made = kind.fit(candidate, model)
    assert isinstance(made, TreeOfThoughts)
    assert json.loads(json.dumps(made.settings())) == candidate.settings
    assert made.search.budget == Budget(asks=9, states=4)
    assert made.judgement.words.labels == ("impossible", "likely", "sure")
    assert made.judgement.worths["sure"] == 2.0
    assert made.thoughts.template is not None and made.thoughts.template.chat
    kind.check(model)
    assert [row.error for row in made.predict([*TASK.train, *TASK.dev])] == [None, None]


def test_a_masked_model_is_refused(masked: Any) -> None:
    with pytest.raises(
        CapabilityError, match="is a masked model and cannot generate; use a causal"
    ):
        TreeOfThoughtsKind(group(), TASK).check(masked)
    with pytest.raises(StudyError, match=r"group 1 \(tree_of_thoughts\): .* cannot generate"):
        SearchSpace([group()], TASK).check(masked)
    TreeOfThoughtsKind(group(thoughts=["moves"]), TASK).check(masked)  # it only scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"propose": []}, "thoughts 'propose' need templates: list them under 'propose:'"),
        ({"evaluation": ["vote_text"], "vote": []}, "need templates: list them under 'vote:'"),
        ({"problem": None, "thoughts": ["moves"]}, "listed by a problem"),
        ({"problem": "chess"}, "unknown problem 'chess'"),
        ({"propose": ["{text} {mask}"]}, r"reads the field 'text'; the data's fields are numbers"),
        ({"propose": ["game24/propos"]}, "did you mean game24/propose"),
    ],
)
def test_faults_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        SearchSpace([group(**changes)], TASK)


def test_a_problem_needs_its_field() -> None:
    with pytest.raises(StudyError, match="reads the field 'numbers', which the data lacks"):
        SearchSpace([group(vote=[])], task("text"))


@pytest.mark.parametrize(("name", "candidates"), [("game24", 5), ("game24-control", 2)])
def test_the_shipped_studies_are_valid(name: str, candidates: int) -> None:
    spec = load_spec(find_study_file(name))
    again = load_spec(spec.document(), source="again")
    assert again.document() == spec.document()
    assert find_kind("tree_of_thoughts") is TreeOfThoughtsKind
    space = SearchSpace(spec.candidates, TASK)  # type: ignore[union-attr]
    assert len(space.enumerate(50) or []) == candidates
    assert spec.baseline in space.kinds  # type: ignore[union-attr]
