"""Learning without a study file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import promptlab as pl
from promptlab.data.task import Task
from promptlab.estimators.base import Tuner
from promptlab.events import Event
from promptlab.models.local import LocalModel
from promptlab.predictors.soft_prompt_mixture import MixtureClassifier
from tests.helpers.tuning_fixtures import OWN

Fresh = Callable[..., LocalModel]
TEXT = "{text} It was {mask}"
SHORT: dict[str, Any] = {"steps": 2, "batch_size": 4}


def tuners(model: LocalModel) -> dict[str, Tuner]:
    return {
        "soft": pl.SoftPromptTuner(TEXT, OWN, model, length=3, **SHORT),
        "mixture": pl.SoftPromptTuner(
            TEXT, OWN, model, length=3, init="random", members=2, **SHORT
        ),
        "prefix": pl.PrefixTuner(TEXT, OWN, model, length=2, **SHORT),
        "triggers": pl.TriggerSearch("{text} {trigger:2} {mask}", OWN, model, steps=2, top=3),
        "finetune": pl.FineTuner(TEXT, OWN, model, **SHORT),
        "head": pl.HeadTuner("{text}", model, **SHORT),
    }


@pytest.mark.parametrize("name", ["soft", "mixture", "prefix", "triggers", "finetune", "head"])
def test_every_tuner_learns_in_place_and_saves_what_it_learned(
    name: str, fresh: Fresh, task: Task, tmp_path: Any
) -> None:
    model = fresh("tiny_masked")
    events: list[Event] = []
    tuner = tuners(model)[name]
    made = tuner.fit(task.train, dev=task.dev, listener=events.append)
    assert events and made.evaluate(task.test).n == len(task.test)
    again = pl.load(made.save(tmp_path / "best"), model)
    assert np.allclose(again.predict_proba(task.test), made.predict_proba(task.test), atol=1e-5)
    told = pl.explain(again)
    assert made is tuner and told["kind"] == type(made.predictor_).__name__
    assert (told["words"] is None) == (name in ("prefix", "finetune", "head"))
    assert bool(told["words"]) != bool(told["no_words"])
    assert isinstance(made.predictor_, MixtureClassifier) == (name == "mixture")


def test_without_dev_a_part_is_held_out(fresh: Fresh, task: Task) -> None:
    texts = [example.fields["text"] for example in task.train]
    labels = [str(example.label) for example in task.train]
    tuner = pl.SoftPromptTuner(TEXT, OWN, fresh("tiny_masked"), length=2, **SHORT)
    assert tuner.fit(texts, labels).score(texts, labels) >= 0
    twice = [tuner.fit(texts, labels).predict_proba(texts) for _ in range(2)]
    assert np.array_equal(*twice)


def test_what_cannot_be_is_told(fresh: Fresh, task: Task) -> None:
    model = fresh("tiny_masked")

    def refused(match: str, **settings: Any) -> None:
        with pytest.raises(pl.InputError, match=match):
            pl.SoftPromptTuner(TEXT, OWN, model, **settings).fit(task.train, dev=task.dev)

    refused("learning rate must be above 0", learning_rate=0)
    refused("one value is learned with", learning_rate=[0.1, 0.2])
    refused("lenght: unknown; settings are", lenght=3)
    refused("no room for the text", length=1000)
    refused("init_text", init="text")
    tuner = pl.SoftPromptTuner(TEXT, OWN, model)
    with pytest.raises(pl.InputError, match="the label 'odd'"):
        tuner.fit(["a", "b"], ["odd", "negative"])
    with pytest.raises(pl.InputError, match="has no label"):
        tuner.fit(["a", "b"])
    with pytest.raises(pl.InputError, match="held out"):
        tuner.fit(["a", "b"], ["positive", "negative"])
