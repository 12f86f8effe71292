"""Predictors and tuners are scikit-learn estimators: parameters, clones, searches, pipelines."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import SkipTestWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import (
    check_estimator,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimator_tags_renamed,
    check_valid_tag_types,
)

import promptlab as pl
from promptlab.data.task import Task
from promptlab.models.local import LocalModel
from promptlab.predictors.wrapper import as_strategy
from promptlab.prompts.parsers.parsers import TextParser
from tests.helpers.tuning_fixtures import OWN

Fresh = Callable[..., LocalModel]
TEXT = "{text} It was {mask}"
OTHER = "{text} All in all {mask}"


def texts(task: Task) -> tuple[list[str], list[str]]:
    return [e.fields["text"] for e in task.train], [str(e.label) for e in task.train]


def predictors(model: LocalModel) -> dict[str, pl.Predictor]:
    plain = pl.PromptClassifier(TEXT, OWN, model, calibration="pmi", demonstrations=1)
    return {
        "classifier": plain,
        "generator": writer(model),
        "ensemble": pl.Ensemble([plain, pl.PromptClassifier(OTHER, OWN, model)], smoothing=0.1),
        "cascade": pl.Cascade([plain, plain], threshold=0.5),
        "self_consistency": pl.SelfConsistency(writer(model), samples=3),
        "chain_of_thought": pl.ChainOfThought("{text} {mask}", model, verbalizer=OWN),
        "soft": pl.SoftPromptTuner(TEXT, OWN, model, length=3),
        "head": pl.HeadTuner("{text}", model, weights="frozen"),
    }


def writer(model: LocalModel, **options: Any) -> pl.PromptGenerator:
    sampled = pl.Decoding(max_tokens=4, temperature=0.7)
    return pl.PromptGenerator("{text} {mask}", TextParser(), model, decoding=sampled, **options)


NAMES = [
    "classifier",
    "generator",
    "ensemble",
    "cascade",
    "self_consistency",
    "chain_of_thought",
    "soft",
    "head",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_clone_has_the_same_parameters_and_shares_the_model(name: str, causal: Any) -> None:
    made = predictors(causal)[name]
    again = clone(made)
    assert type(again) is type(made) and again is not made
    assert repr(again) == repr(made)
    old, new = made.get_params(deep=False), again.get_params(deep=False)
    assert list(old) == list(new)
    assert new.get("model", causal) is causal
    if name == "self_consistency":
        assert (
            new["inner"] is not old["inner"]
            and again.get_params()["inner__decoding"].temperature == 0.7
        )
    if name == "ensemble":
        assert new["members"][0] is not old["members"][0] and new["smoothing"] == 0.1


@pytest.mark.parametrize("name", NAMES)
def test_what_check_estimator_asks_of_any_estimator(name: str, causal: Any) -> None:
    """All its other checks fit tables of random numbers, which no prompt reads.

    `check_estimator` sees that by the input tags (texts, no two-dimensional numbers) and skips
    them, as it does for scikit-learn's own text vectorizers. Two API checks need no data and do
    not hold by choice: the constructor converts and refuses what it is given
    (`check_no_attributes_set_in_init`, `check_do_not_raise_errors_in_init_or_set_params`), because
    a wrong template is told before a model is run. A prompt has no default
    (`check_parameters_default_constructible`).
    """
    made = predictors(causal)[name]
    for check in (
        check_estimator_cloneable,
        check_estimator_tags_renamed,
        check_valid_tag_types,
        check_estimator_repr,
    ):
        check(type(made).__name__, made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(made, on_skip=None, on_fail="raise")
    assert all(result["status"] in ("passed", "skipped") for result in results)
    assert is_classifier(made) == (name not in ("generator", "self_consistency"))


def test_set_params_checks_all_before_it_changes_anything(
    masked: LocalModel, causal: LocalModel
) -> None:
    made = pl.PromptClassifier(TEXT, OWN, masked)
    assert made.set_params(calibration="pmi", template=OTHER) is made
    assert made.calibration == "pmi" and made.template.text == OTHER
    with pytest.raises(pl.InputError, match="calibration"):
        made.set_params(template=TEXT, calibration="odd")
    assert made.template.text == OTHER
    with pytest.raises(pl.InputError, match="calibraton: PromptClassifier has no such parameter"):
        made.set_params(calibraton="pmi")
    inner = writer(causal)
    wrapped = pl.SelfConsistency(inner, samples=3)
    wrapped.set_params(inner__demonstrations=2, samples=5)
    assert wrapped.get_params()["inner__demonstrations"] == 2 and wrapped.samples == 5
    assert inner.get_params()["demonstrations"] == 0
    tuner = pl.SoftPromptTuner(TEXT, OWN, masked, length=3)
    with pytest.raises(pl.InputError, match="learning rate must be above 0"):
        tuner.set_params(learning_rate=-1.0, length=4)
    assert tuner.get_params()["length"] == 3
    tuner.length = 5
    assert clone(tuner).length == 5


@pytest.mark.parametrize("form", ["list", "array", "series", "frame", "examples", "arrow"])
def test_inputs_of_every_form_give_the_same(form: str, masked: LocalModel, task: Task) -> None:
    words, labels = texts(task)
    inputs: Any = {
        "list": words,
        "array": np.array(words),
        "series": pd.Series(words),
        "frame": pd.DataFrame({"text": words, "length": [len(word) for word in words]}),
        "examples": list(task.train),
        "arrow": __import__("pyarrow").table({"text": words}),
    }[form]
    y: Any = pd.Series(labels) if form in ("series", "frame") else np.array(labels)
    made = pl.PromptClassifier(TEXT, OWN, masked, demonstrations=2)
    assert made.fit(inputs, y) is made
    plain = pl.PromptClassifier(TEXT, OWN, masked, demonstrations=2).fit(words, labels)
    assert np.array_equal(made.predict_proba(inputs), plain.predict_proba(words))
    assert made.score(inputs, y) == accuracy_score(y, made.predict(inputs))
    if form != "arrow":
        scores = cross_val_score(made, inputs, y, cv=2)
        assert np.array_equal(scores, cross_val_score(plain, words, labels, cv=2))


def test_probabilities_and_decision_values(
    masked: LocalModel, causal: LocalModel, task: Task
) -> None:
    words, labels = texts(task)
    made = pl.PromptClassifier(TEXT, OWN, masked)
    assert list(made.classes_) == ["negative", "positive"] == list(made.labels)
    assert made.n_features_in_ == 1 and list(made.feature_names_in_) == ["text"]
    found = made.predict_proba(words)
    assert np.allclose(made.decision_function(words), np.log(found[:, 1] / found[:, 0]))
    assert np.array_equal(np.asarray(made.predict(words)), made.classes_[found.argmax(1)])
    # Beside y, scikit-learn would number the labels here: rows that hold theirs are given alone.
    out = cross_val_predict(made, list(task.train), cv=2, method="predict_proba")
    assert np.allclose(out, found, atol=1e-6)
    three = pl.PromptClassifier(TEXT, {"a": "great", "b": "bad", "c": "dull"}, masked)
    assert three.decision_function(words).shape == (len(words), 3)
    for scoring in ("neg_log_loss", "roc_auc", "f1_macro"):
        assert np.isfinite(cross_val_score(made, words, labels, cv=2, scoring=scoring)).all()
    with pytest.warns(UserWarning, match="alphabetical order"):
        pl.PromptClassifier(TEXT, dict(reversed(OWN.items())), masked).classes_  # noqa: B018
    with pytest.raises(AttributeError, match="open answers"):
        writer(causal).classes_  # noqa: B018


def test_a_grid_search_over_templates_and_calibration(masked: LocalModel, task: Task) -> None:
    words, labels = texts(task)
    grid = {
        "template": [TEXT, pl.Template(OTHER)],
        "calibration": ["none", "contextual"],
        "model": [masked],
    }
    search = GridSearchCV(pl.PromptClassifier(TEXT, OWN, masked), grid, cv=2, error_score="raise")
    search.fit(words, labels)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_.model is masked
    assert search.score(words, labels) == search.best_estimator_.score(words, labels)
    assert list(search.classes_) == ["negative", "positive"]


def test_a_pipeline_ends_with_a_prompt(masked: LocalModel, task: Task) -> None:
    words, labels = texts(task)
    lower = FunctionTransformer(lambda found: [word.lower() for word in found])
    pipeline = Pipeline([("lower", lower), ("prompt", pl.PromptClassifier(TEXT, OWN, masked))])
    shouted = [word.upper() for word in words]
    plain = pl.PromptClassifier(TEXT, OWN, masked).fit(words, labels)
    assert np.array_equal(
        pipeline.fit(shouted, labels).predict_proba(shouted), plain.predict_proba(words)
    )
    pipeline.set_params(prompt__calibration="pmi")
    assert pipeline["prompt"].calibration == "pmi"
    assert 0 <= pipeline.score(shouted, labels) <= 1


def test_a_tuner_learns_in_place_and_in_a_grid_search(fresh: Fresh, task: Task) -> None:
    words, labels = texts(task)
    model = fresh("tiny_masked")
    tuner = pl.SoftPromptTuner(TEXT, OWN, model, length=2, steps=2, batch_size=4)
    with pytest.raises(pl.InputError, match="learned nothing yet"):
        tuner.predict(words)
    assert tuner.fit(words, labels) is tuner
    assert tuner.predictor_.model.learned is not None and tuner.model is tuner.predictor_.model
    assert tuner.get_params()["model"] is model and tuner.verbalizer.labels == tuner.labels
    assert "{soft:2}" in tuner.template.text
    assert not clone(tuner).__sklearn_is_fitted__()
    search = GridSearchCV(tuner, {"learning_rate": [0.01, 0.3]}, cv=2, error_score="raise")
    search.fit(words, labels)
    assert isinstance(search.best_estimator_, pl.SoftPromptTuner)
    both = pl.Ensemble([tuner, pl.PromptClassifier(OTHER, OWN, model)])
    assert both.predict_proba(words).shape == (len(words), 2)
    assert as_strategy(tuner, "a wrapper") is tuner.predictor_


def test_old_names_of_tuners_warn() -> None:
    for old, new in {
        "SoftPrompt": pl.SoftPromptTuner,
        "Prefix": pl.PrefixTuner,
        "Triggers": pl.TriggerSearch,
        "FineTuned": pl.FineTuner,
        "Head": pl.HeadTuner,
    }.items():
        with pytest.warns(DeprecationWarning, match=new.__name__):
            assert getattr(pl, old) is new


def test_scikit_learn_and_pandas_are_imported_only_where_needed() -> None:
    code = (
        "import sys, promptlab as pl; pl.PromptClassifier; pl.SoftPromptTuner; "
        "print({'sklearn', 'pandas'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout == "set()\n", found.stderr
