"""The kind demonstrations: its dimensions, what is left out of them, and what it refuses."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from promptlab.candidates.demonstrations import DemonstrationsSettings, choice_label
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.study.spec.space import SearchSpace
from tests.helpers.scripted_model import ScriptedModel

WORDS = {"negative": "terrible", "positive": "great"}


def settings(**values: Any) -> DemonstrationsSettings:
    group: dict[str, Any] = {
        "kind": "demonstrations",
        "templates": ["{text} It was {mask}"],
        "verbalizers": [WORDS],
        "count": [2],
        "seed": [13, 21],
    }
    return DemonstrationsSettings(**(group | values))


def candidates(task: Task, **values: Any) -> list[tuple[dict[str, Any], dict[str, Any], str]]:
    """Parameters, the choice's settings and the last part of the name of every candidate."""
    space = SearchSpace([settings(**values)], task)
    found = []
    for parameters in space.enumerate(1000) or []:
        _, candidate = space.suggest(optuna.trial.FixedTrial(parameters))
        name = candidate.name.rpartition(" · ")[2]
        found.append((parameters, candidate.settings["demonstrations"], name))
    return found


def test_a_group_as_it_was_gives_the_candidates_it_gave(task: Task) -> None:
    found = candidates(task, count=[1, 2], seed=[13])
    assert [choice for _, choice, _ in found] == [
        {"count": 1, "seed": 13, "order": "random"},
        {"count": 2, "seed": 13, "order": "random"},
    ]
    assert [name for _, _, name in found] == [
        "1 demonstration (seed 13)",
        "2 demonstrations (seed 13, random)",
    ]


def test_what_does_not_matter_is_no_dimension(task: Task) -> None:
    def seeds(**values: Any) -> int:
        return len(candidates(task, **values))

    assert seeds() == 2
    assert seeds(selection=["bootstrapped"], order=["given"]) == 2
    assert seeds(selection=["nearest"]) == 1
    assert seeds(selection=["nearest"], order=["random"]) == 2
    assert seeds(selection=["diverse"]) == 2  # in random order
    assert seeds(selection=["diverse"], order=["grouped", "given"]) == 2
    assert seeds(selection=["diverse"], order=["searched"]) == 1  # both orders of two are tried
    assert seeds(selection=["diverse"], order=["searched"], count=[4], permutations=8) == 2
    assert seeds(selection=["diverse", "confident"], count=[1]) == 2
    assert seeds(selection=["random"], similarity=["bm25", "embedding"]) == 2
    assert seeds(selection=["nearest"], similarity=["bm25", "embedding"]) == 2
    assert seeds(selection=["first"], placement=["before", "after"]) == 2
    assert seeds(count=[1], order=["random", "grouped", "searched"]) == 2


def test_orders_go_with_their_selections(task: Task) -> None:
    found = candidates(
        task, selection=["random", "nearest"], order=["grouped", "nearest_last", "searched"]
    )
    pairs = {(choice.get("selection", "random"), choice["order"]) for _, choice, _ in found}
    assert pairs == {
        ("random", "grouped"),
        ("random", "searched"),
        ("nearest", "grouped"),
        ("nearest", "nearest_last"),
    }
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    space = SearchSpace(
        [settings(selection=["random", "nearest"], order=["grouped", "searched"])], task
    )
    for _ in range(12):  # a dimension has the same choices in every trial
        space.suggest(study.ask())


def test_names_and_settings_say_what_is_unusual(task: Task) -> None:
    (_, choice, name), *_ = candidates(
        task,
        selection=["nearest"],
        similarity=["embedding"],
        placement=["after"],
        balanced=True,
        permutations=6,
        count=[3],
    )
    assert name == "3 demonstrations (nearest, embedding, nearest last, after the input)"
    assert choice == {
        "count": 3,
        "seed": 13,
        "order": "nearest_last",
        "selection": "nearest",
        "similarity": "embedding",
        "placement": "after",
        "balanced": True,
        "permutations": 6,
    }
    assert (
        choice_label(DemonstrationConfig(2, selection="first")) == "2 demonstrations (first, given)"
    )


def test_fitted_predictors_show_what_was_asked_for(task: Task, causal: LocalModel) -> None:
    group = settings(
        selection=["random", "nearest", "diverse"],
        order=["searched", "nearest_last"],
        probes=4,
        placement=["before", "after"],
        seed=[13],
    )
    space = SearchSpace([group], task)
    every = space.enumerate(100) or []
    assert len(every) == 3 * 2
    for parameters in every:
        _, candidate = space.suggest(optuna.trial.FixedTrial(parameters))
        fitted = next(iter(space.kinds.values())).fit(candidate, causal)
        assert isinstance(fitted, PromptClassifier)
        assert len(fitted.demonstrations_of(task.dev[0])) == 2
        prompt = fitted.render_prompt(task.dev[0])
        behind = candidate.settings["demonstrations"].get("placement") == "after"
        assert (prompt.right.count("It was") == 2) == behind
        assert len(fitted.predict(task.dev[:3])) == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"selection": ["nearest"], "order": ["searched"]}, "none of searched goes with"),
        ({"order": ["random", "nearest_last"]}, "nearest_last goes with none of the selections"),
        ({"count": [17]}, "17 demonstrations are asked for and there are 16"),
        (
            {
                "templates": [
                    {
                        "text": "{text} {mask}",
                        "parser": {
                            "type": "choice",
                            "choices": {"negative": ["bad"], "positive": ["good"]},
                        },
                    }
                ],
                "verbalizers": ["own"],
                "order": ["searched"],
            },
            "searched goes by the probabilities of labels",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    values: dict[str, Any], message: str, task: Task
) -> None:
    with pytest.raises(StudyError, match=message):
        SearchSpace([settings(**values)], task)


def test_vectors_are_asked_for_before_anything_is_written(task: Task) -> None:
    space = SearchSpace([settings(selection=["nearest"], similarity=["bm25", "embedding"])], task)
    with pytest.raises(StudyError, match=r"gives no vectors.*use similarity bm25"):
        space.check(ScriptedModel())
    SearchSpace([settings(similarity=["embedding"])], task).check(ScriptedModel())
