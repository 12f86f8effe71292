"""Triggers found from Python: helpful, towards a label, adversarial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Predictions
from promptlab.models.local import LocalModel
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.triggers import TriggerSearchConfig, find_trigger

Fresh = Callable[..., LocalModel]
ANSWERS = {"negative": "bad", "positive": "good"}
TEXT = "{text} {trigger:2} {mask} ."
QUICK = TriggerSearchConfig(method="universal", top=10, steps=1, batch=16, blocks=1, width=2)


def likelihood(rows: Predictions) -> float:
    return float(np.mean([row.scores[str(row.target)] for row in rows if row.scores]))


def found(model: LocalModel, task: Task, **given: Any) -> Predictions:
    """Predictions on the training examples with the trigger that is found on them."""
    fitting = FitContext(likelihood)
    predictor, best = find_trigger(
        TEXT, ANSWERS, model, task.train, recipe=QUICK, fitting=fitting, **given
    )
    learned = predictor.model.learned  # type: ignore[attr-defined]
    assert learned.facts["words"] == best.words
    return predictor.predict(task.train)


def test_a_helpful_trigger_helps_and_an_adversarial_one_harms(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    helpful = likelihood(found(model, task))
    harmful = likelihood(found(model, task, adversarial=True))
    assert helpful > harmful


def test_a_universal_trigger_makes_the_model_say_a_label(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")
    says = {
        target: np.mean(
            [r.scores["positive"] for r in found(model, task, target=target) if r.scores]
        )
        for target in task.labels
    }
    assert says["positive"] > says["negative"] + 0.1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "guess"}, "unknown method 'guess'"),
        ({"start": "here"}, "cannot start from 'here'"),
        ({"width": 0, "method": "universal"}, "width of a trigger search is 0"),
        ({"steps": 0}, "steps of a trigger search is 0"),
    ],
)
def test_wrong_recipes_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TriggerSearchConfig(**given)
