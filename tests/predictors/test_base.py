"""Predictors: what may be given to them, and saving and loading."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.base import FORMAT, Predictor, load
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.prompts.parsers.parsers import TextParser
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from tests.helpers.tiny_models import Pair

ANSWERS = {"negative": ["terrible", "bad"], "positive": {"great": 2.0, "wonderful": 1.0}}


def classifier(model: LocalModel, **options: Any) -> PromptClassifier:
    verbalizer = Verbalizer(ANSWERS, aggregation="mean", length_normalise=True)
    return PromptClassifier(Template("{text} It was {mask}."), verbalizer, model, **options)


@pytest.mark.parametrize("calibration", ["none", "contextual", "pmi", "batch"])
@pytest.mark.parametrize("demonstrations", [0, 2])
def test_a_loaded_classifier_predicts_the_same(
    calibration: Any, demonstrations: int, causal: LocalModel, task: Task, tmp_path: Path
) -> None:
    fitted = classifier(causal, calibration=calibration, demonstrations=demonstrations)
    fitted.fit(task.train)
    folder = fitted.save(tmp_path / "best")
    again = load(folder, causal)
    assert type(again) is PromptClassifier
    assert again.settings() == fitted.settings()
    for left, right in zip(again.predict(task.dev), fitted.predict(task.dev), strict=True):
        assert (left.label, left.scores) == (right.label, right.scores)
    assert [path.name for path in folder.iterdir()] == ["predictor.json"]
    document = json.loads((folder / "predictor.json").read_text())
    assert document["format"] == FORMAT
    assert document["model"]["key"] == causal.key


def test_the_model_is_loaded_by_the_name_that_was_saved(
    folder_of: Callable[[Pair], Path], tiny_gpt2: Pair, task: Task, tmp_path: Path
) -> None:
    from promptlab.models.pool import load_model

    model = load_model(str(folder_of(tiny_gpt2)), device="cpu", dtype="float32")
    saved = PromptClassifier("{text} It was {mask}", {"n": "bad", "p": "great"}, model)
    saved.save(tmp_path / "best")
    again = load(tmp_path / "best", device="cpu", dtype="float32")
    assert again.model is model
    np.testing.assert_array_equal(again.predict_proba(task.dev), saved.predict_proba(task.dev))


def test_a_fresh_process_loads_what_was_saved(
    folder_of: Callable[[Pair], Path], tiny_gpt2: Pair, tmp_path: Path
) -> None:
    from promptlab.models.pool import load_model

    model = load_model(str(folder_of(tiny_gpt2)), device="cpu", dtype="float32")
    saved = PromptClassifier("{text} It was {mask}", {"n": "bad", "p": "great"}, model)
    saved.save(tmp_path / "best")
    code = (
        "import promptlab as pl, sys; p = pl.load(sys.argv[1], device='cpu', dtype='float32');"
        "print(p.predict_proba(['a film'])[0, 0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "best")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == pytest.approx(saved.predict_proba(["a film"])[0, 0], abs=1e-5)


def test_folders_without_a_predictor(causal: LocalModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no saved predictor \(no predictor\.json\)"):
        load(tmp_path, causal)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{cut off", "is no predictor that promptlab wrote"),
        ("[1, 2]", "is no predictor that promptlab wrote"),
        ("5", "is no predictor that promptlab wrote"),
        ({"settings": None}, "the key settings: input should be .*found None"),
        ({"settings": {}}, "not those of a PromptClassifier: the key template: field required"),
        (
            {"settings": {"template": 7}},
            "not those of a PromptClassifier: the key template: .*found 7",
        ),
        ({"model": "x"}, "is no predictor that promptlab wrote"),
        ({"format": 99}, "has format 99; this promptlab reads format 1"),
        (
            {"predictor": "Oracle"},
            "the predictor 'Oracle' is unknown here; known are .*Classifier",
        ),
    ],
)
def test_damaged_predictors(
    change: str | dict[str, Any], message: str, causal: LocalModel, tmp_path: Path
) -> None:
    path = classifier(causal).save(tmp_path) / "predictor.json"
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change)
    path.write_text(change)
    with pytest.raises(InputError, match=message):
        load(tmp_path, causal)


def test_binary_rubbish_is_no_predictor(causal: LocalModel, tmp_path: Path) -> None:
    (tmp_path / "predictor.json").write_bytes(b"\xff\xfe\x00rubbish")
    with pytest.raises(InputError, match="is no predictor that promptlab wrote"):
        load(tmp_path, causal)


def test_kinds_register_themselves() -> None:
    assert Predictor.kinds["PromptClassifier"] is PromptClassifier
    assert Predictor.kinds["PromptGenerator"] is PromptGenerator


def test_labels_without_probabilities(causal: LocalModel) -> None:
    generator = PromptGenerator("{text} It was {mask}", TextParser(), causal)
    with pytest.raises(InputError, match="PromptGenerator gives labels without probabilities"):
        generator.predict_proba(["x"])
