"""A saved predictor answers with the weights and in the format that it was saved with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import InputError
from promptlab.models import precision
from promptlab.models.loading import load as load_local
from promptlab.models.pool import ModelPool
from promptlab.predictors.base import load
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.saved_model import saved_weights_hash
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from tests.helpers.provenance_fixtures import OWN, Begun, begun, change_weights, save_model  # noqa: F401 - fixtures


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path]:
    """A model's folder, and a predictor that was saved over it."""
    folder = save_model(tmp_path / "model")
    model = load_local(str(folder), device="cpu", dtype="float32")
    made = PromptClassifier(Template("{text} It was {mask}."), Verbalizer(OWN), model)
    return folder, made.save(tmp_path / "saved")


def test_other_weights_under_the_same_name_are_refused(saved: tuple[Path, Path]) -> None:
    model, predictor = saved
    assert load(predictor).predict(["a film ."]).labels
    change_weights(model, 5)
    with pytest.raises(InputError, match=r"are not those that this was saved with.*--model NAME"):
        load(predictor)
    assert load(predictor, str(model)).predict(["a film ."]).labels  # named, so it is meant


def test_the_format_is_held_to(saved: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, predictor = saved
    monkeypatch.setattr(precision, "_remembered", lambda processor: "bfloat16")
    monkeypatch.setattr("promptlab.models.pool.POOL", ModelPool())
    assert load(predictor).model.describe()["dtype"] == "float32"
    assert load(predictor, dtype="auto").model.describe()["dtype"] == "float32"
    assert load(predictor, dtype="bfloat16").model.describe()["dtype"] == "bfloat16"


def test_predictors_of_earlier_versions_are_loaded(saved: tuple[Path, Path]) -> None:
    model, predictor = saved
    path = predictor / "predictor.json"
    document = json.loads(path.read_text())
    del document["model"]["weights"], document["model"]["dtype"], document["model"]["device"]
    path.write_text(json.dumps(document))
    assert saved_weights_hash(predictor) is None
    change_weights(model, 5)
    assert load(predictor).predict(["a film ."]).labels


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model": 3}', '{"model": {"weights": 3}}'])
def test_what_cannot_be_read_names_no_weights(tmp_path: Path, content: str) -> None:
    assert saved_weights_hash(tmp_path) is None
    (tmp_path / "predictor.json").write_text(content)
    assert saved_weights_hash(tmp_path) is None


def test_what_was_learned_on_other_weights_is_learned_again(begun: Begun) -> None:
    template = {"text": "{text} {soft:2} It was {mask}.", "answers": OWN}
    soft: dict[str, Any] = {
        "kind": "soft_prompt", "templates": [template], "seed": [1, 2], "epochs": 1, "steps": 2,
        "length": [2],
    }  # fmt: skip
    begun.run(stop=1, candidates=[soft], batch=1)
    fitted = begun.folder / "runs" / "reviews" / "fitted"
    assert any(fitted.iterdir())
    change_weights(begun.model, 5)
    board = begun.run(candidates=[soft], batch=1, accept=True)
    assert board["mixed"]
    now = load_local(str(begun.model), device="cpu", dtype="float32").describe()["weights"]
    best = begun.folder / "runs" / "reviews" / "best"
    assert saved_weights_hash(best) == now
    if board["best"]["number"] == 0:  # the one that was learned before
        assert any("it was on other weights" in told for told in begun.told)
