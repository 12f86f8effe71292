"""Kinds that learn vectors and prefixes: saved, loaded, misfits refused, studies killed."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from promptlab.candidates.base import fit_one
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.models.causal import CausalModel
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel
from promptlab.models.pool import load_model
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.soft_prompt_mixture import MixtureClassifier
from promptlab.tuning.fit_context import FitContext
from promptlab.tuning.trainer_state import load_checkpoint
from tests.helpers import tiny_models
from tests.helpers.command_line import (  # noqa: F401
    Command,
    Outcome,
    command,
    document,
    here,
    models,
    reviews,
    study,
)
from tests.helpers.study_fixtures import write_study
from tests.helpers.tiny_models import Pair
from tests.helpers.tuning_fixtures import OWN, candidate_of, kind_of
from tests.study.test_kill import kill_when

pytestmark = pytest.mark.slow

Fresh = Callable[..., LocalModel]
SHORT: dict[str, Any] = {"steps": 2, "batch_size": [4], "learning_rate": [0.05]}
VECTORS: dict[str, Any] = {"text": "{soft:3} {text} It was {soft:2 #a} {mask} {soft:2 #a} ."}
PREFIX: dict[str, Any] = {"name": "prefix", "text": "{text} It was {mask}", "length": [3]}
MIXTURE: dict[str, Any] = {"members": [3], "init": ["random"]}


def fitted(task: Task, model: LocalModel, **options: Any) -> Predictor:
    kind = kind_of(task, **(SHORT | options))
    return fit_one(kind, candidate_of(kind), model, FitContext("accuracy"))


@pytest.mark.parametrize("options", [VECTORS, PREFIX, MIXTURE], ids=["soft", "prefix", "mixture"])
@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked", "tiny_seq2seq"])
def test_what_is_loaded_predicts_as_what_was_saved(
    name: str, options: dict[str, Any], task: Task, fresh: Fresh, tmp_path: Path
) -> None:
    made = fitted(task, fresh(name), **options)
    folder = made.save(tmp_path / "best")
    again = load(folder, fresh(name))
    assert type(again) is (MixtureClassifier if options is MIXTURE else type(made))
    np.testing.assert_allclose(
        again.predict_proba(task.test), made.predict_proba(task.test), atol=1e-6
    )
    twice = load(again.save(tmp_path / "again"), fresh(name))
    assert np.array_equal(twice.predict_proba(task.test), again.predict_proba(task.test))
    document = json.loads((folder / "learned.json").read_text())
    assert document["facts"]["steps"] == 2
    assert document["fits"]["layers"] == 2


def test_a_mixture_is_the_weighed_sum_of_its_members(task: Task, fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    made = fitted(task, model, **MIXTURE)
    assert isinstance(made, MixtureClassifier)
    tables = [member.predict_proba(task.test) for member in made.members]
    assert not np.allclose(tables[0], tables[1], atol=1e-3)
    expected = sum(w * table for w, table in zip(made.weights, tables, strict=True))
    np.testing.assert_allclose(made.predict_proba(task.test), expected, atol=1e-9)
    assert sum(made.weights) == pytest.approx(1.0)
    rows, alone = made.predict(task.test), made.members[0].predict(task.test)
    assert [r.tokens_in for r in rows] == [3 * r.tokens_in for r in alone]


def small(name: str, **changes: Any) -> Pair:
    """A tiny model of other sizes."""
    model, tokenizer = getattr(tiny_models, name)()
    config = type(model.config)(**(model.config.to_dict() | changes))
    torch.manual_seed(3)
    return type(model)(config).eval(), tokenizer


@pytest.mark.parametrize(
    ("options", "changes", "parts"),
    [
        (VECTORS, {"hidden_size": 48, "head_dim": 12}, ("vectors of width 32", "width 48")),
        (VECTORS, {"vocab_size": 700}, ("a vocabulary of", "a vocabulary of 700 tokens")),
        (VECTORS, {"num_hidden_layers": 3}, ("with 2 layers", "has 3 layers")),
        (PREFIX, {"num_key_value_heads": 4}, ("shape [2, 2, 8]", "shape [2, 4, 8]")),
    ],
)
def test_a_model_of_other_sizes_is_refused_with_both_numbers(
    options: dict[str, Any],
    changes: dict[str, Any],
    parts: tuple[str, ...],
    task: Task,
    fresh: Fresh,
    tmp_path: Path,
) -> None:
    folder = fitted(task, fresh("tiny_causal"), **options).save(tmp_path / "best")
    other = from_transformers(*small("llama", **changes), name="other")
    with pytest.raises(InputError) as caught:
        load(folder, other)
    for part in (*parts, str(folder), "tiny_causal", "other has"):
        assert part in str(caught.value)


def test_a_model_of_another_family_is_refused(task: Task, fresh: Fresh, tmp_path: Path) -> None:
    folder = fitted(task, fresh("tiny_causal"), **VECTORS).save(tmp_path / "best")
    with pytest.raises(InputError, match=r"was learned for tiny_causal with .*; tiny_masked has"):
        load(folder, fresh("tiny_masked"))


@pytest.mark.parametrize("options", [VECTORS, PREFIX, MIXTURE], ids=["soft", "prefix", "mixture"])
def test_folders_with_parts_missing_or_of_another(
    options: dict[str, Any], task: Task, fresh: Fresh, tmp_path: Path
) -> None:
    model = fresh("tiny_causal")
    folder = fitted(task, model, **options).save(tmp_path / "best")
    other = fitted(task, model, **(options | {"seed": [4]})).save(tmp_path / "other")
    for name in ("learned.json", "learned.safetensors"):
        shutil.copytree(folder, tmp_path / "without")
        (tmp_path / "without" / name).unlink()
        with pytest.raises(InputError, match=r"learned"):
            load(tmp_path / "without", model)
        shutil.rmtree(tmp_path / "without")
    (folder / "learned.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="cannot be read"):
        load(folder, model)
    shutil.copy(other / "learned.safetensors", folder)
    with pytest.raises(InputError, match="the learned parts beside it are others"):
        load(folder, model)


def test_predict_refuses_another_model(
    command: Command,
    reviews: Path,
    models: Path,
    here: Path,
    task: Task,
    tmp_path: Path,
) -> None:
    model = load_model(str(models / "causal"), device="cpu", dtype="float32")
    assert isinstance(model, LocalModel)
    folder = fitted(task, model, **PREFIX).save(tmp_path / "best")
    done = command("predict", folder, reviews, "--out", "out.csv", "--device", "cpu")
    assert done.code == 0, done.err
    with (here / "out.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 90
    (here / "out.csv").unlink()
    for changes, parts in (
        ({"num_hidden_layers": 3}, ("2 layers", "3 layers")),
        ({"num_key_value_heads": 4}, ("[2, 2, 8]", "[2, 4, 8]")),
    ):
        other = tmp_path / next(iter(changes))
        for part in small("llama", **changes):
            part.save_pretrained(other)
        options = ("--model", other, "--device", "cpu", "--dtype", "float32")
        outcome = command("predict", folder, reviews, "--out", "out.csv", *options)
        outcome.refuses(str(folder), "was learned for", *parts)


def group(**changes: Any) -> dict[str, Any]:
    own = {"text": "{text} It was {mask}", "answers": OWN}
    return {"kind": "soft_prompt", "templates": [own], "steps": 2} | changes


def template(text: str, **changes: Any) -> list[dict[str, Any]]:
    return [{"text": text, "answers": OWN} | changes]


JINJA = "{{ text }} It was {{ mask }}"


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"learning_rate": [0.1, 0]}, ("learning_rate", "must be above 0, found 0.0")),
        ({"learning_rate": [-0.1]}, ("learning_rate", "must be above 0, found -0.1")),
        ({"learning_rate": [float("nan")]}, ("learning_rate", "must be a finite number")),
        ({"learning_rate": {"low": 0, "high": 1}}, ("learning_rate", "above 0, found 0.0")),
        ({"learning_rate": {"low": 1, "high": 0.1}}, ("line 19", "learning_rate")),
        ({"batch_size": [16, 0]}, ("batch_size is 0; it must be at least 1",)),
        ({"epochs": 0}, ("epochs is 0",)),
        ({"length": [0]}, ("length and members are at least 1, found 0",)),
        ({"length": [250]}, ("It was {mask}", "250 of them", "takes 256", "no room for the text")),
        ({"learning_rate": []}, ("learning_rate",)),
        ({"kind": "prefix", "learning_rate": [0]}, ("learning_rate", "found 0.0")),
        ({"templates": template("{soft:300} {text} {mask}")}, ("300 of them", "no room")),
        ({"kind": "prefix", "length": [250]}, ("250 in a prefix", "takes 256", "no room")),
        ({"kind": "prefix", "length": [0]}, ("a prefix has at least 1 token, found 0",)),
        ({"init": ["text"]}, ("init: text needs init_text",)),
        ({"kind": "prefix", "init": ["text"]}, ("init: text needs init_text",)),
        (
            {"templates": template("{trigger:3} {text} {mask}")},
            ("{trigger:N} is for the kind tri",),
        ),
        (
            {"templates": template("{soft:2 #a} {text} {soft:3 #a} {mask}")},
            ("the shared soft segment #a has 2 tokens in one place and 3 in another",),
        ),
        ({"templates": template("{text} {mask} {soft:3}")}, ("{soft:3}", "would change nothing")),
        ({"templates": template(JINJA)}, ("Jinja", "{soft:N}")),
        ({"templates": template(JINJA), "init": ["template"]}, ("Jinja", "{soft:N}")),
        ({"members": [2], "calibration": ["batch"]}, ("mixture", "not calibrated")),
        (
            {"members": [2], "templates": [{"text": "{text} {mask}", "parser": {"type": "text"}}]},
            ("mixture", "generates text"),
        ),
        ({"chat": [True], "templates": template("{text} {mask} .")}, ("chat prompt ends at its",)),
    ],
    ids=str,
)
def test_groups_that_cannot_work(
    changes: dict[str, Any],
    parts: tuple[str, ...],
    study: Command,
    here: Path,
) -> None:
    outcome: Outcome = study(candidates=[group(**changes)])
    outcome.refuses("study.yaml, line ", *parts)
    assert not (here / "runs" / "reviews" / "study.db").exists()


def test_an_answer_outside_the_vocabulary(study: Command, models: Path) -> None:
    model = {"name": str(models / "masked"), "device": "cpu", "dtype": "float32"}
    own = {"negative": "terrible", "positive": "\u4e2d\u56fd"}
    for kind in ("soft_prompt", "prefix"):
        candidates = [group(kind=kind, templates=template("{text} {mask}", answers=own))]
        study(model=model, candidates=candidates).refuses(
            "study.yaml, line ", "'\u4e2d\u56fd' is outside of this model's vocabulary"
        )


def test_too_few_examples_of_a_label(
    study: Command,
    document: dict[str, Any],
    here: Path,
) -> None:
    rows = list(csv.reader((here / "reviews.csv").open(encoding="utf-8")))
    texts = [row for row in rows[1:] if row[1] == "negative"]
    path = here / "few.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([rows[0], *texts, rows[1:][-1]])
    for size in (8, 12):
        name = f"train {size}"
        splits = {"data": str(path), "train": size, "dev": 10, "test": 10}
        outcome = study(task=document["task"] | splits, candidates=[group()])
        assert outcome.code == 2, name
        assert "positive" in outcome.err or "label" in outcome.err, outcome.err
        assert "Traceback" not in outcome.err


def test_a_model_that_gives_no_gradients(
    study: Command, tiny_gpt2: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CausalModel, "capabilities", CausalModel.capabilities - {"gradients"})
    for part in tiny_gpt2:
        part.save_pretrained(tmp_path / "quantised")
    model = {"name": str(tmp_path / "quantised"), "device": "cpu", "dtype": "float32"}
    for kind in ("soft_prompt", "p_tuning", "prefix"):
        study(model=model, candidates=[group(kind=kind)]).refuses(
            "study.yaml, line ", "cannot give gradients; use a local model that is not quantised"
        )


def test_a_sliding_window_takes_no_prefix(
    study: Command,
    tiny_sliding: Pair,
    tmp_path: Path,
) -> None:
    for part in tiny_sliding:
        part.save_pretrained(tmp_path / "sliding")
    model = {"name": str(tmp_path / "sliding"), "device": "cpu", "dtype": "float32"}
    study(model=model, candidates=[group(kind="prefix")]).refuses(
        "takes no learned prefix", "use the kind soft_prompt"
    )


def test_a_first_example_longer_than_the_window_is_shortened(task: Task, fresh: Fresh) -> None:
    from dataclasses import replace

    long = replace(task.train[0], fields={"text": "the soup was cold . " * 100})
    longer = replace(task, train=(long, *task.train[1:]))
    kind = kind_of(longer, **SHORT)
    for name in ("tiny_causal", "tiny_masked", "tiny_seq2seq"):
        model = fresh(name)
        kind.check(model)
        made = fit_one(kind, candidate_of(kind), model, FitContext("accuracy"))
        assert len(made.predict(longer.train)) == 16


def learned(folder: Path) -> dict[str, torch.Tensor]:
    """The vectors of every fitted candidate, by its key."""
    found = {}
    for path in sorted(folder.glob("fitted/*/learned.safetensors")):
        with safe_open(path, framework="pt") as file:
            found[path.parent.name] = file.get_tensor("vectors")
    return found


def test_a_study_killed_in_training_ends_as_one_that_was_not(
    command: Command, document: dict[str, Any], here: Path, tmp_path: Path
) -> None:
    """SIGKILL in the middle of the training; then the vectors of a whole run, bit by bit."""
    candidates = [group(steps=24, evaluate_every=4, seed=[1, 2], pack=1, patience=99)]
    path = write_study(
        tmp_path / "reviews.yaml", document | {"candidates": candidates, "budget": {"trials": 2}}
    )
    start = ["study", "run", str(path), "--out"]
    folder, whole = tmp_path / "killed" / "reviews", tmp_path / "whole" / "reviews"

    def training(at: Path) -> bool:
        return any(len(p.read_text().splitlines()) >= 9 for p in at.glob("steps/*.jsonl"))

    assert kill_when([*start, str(tmp_path / "killed")], folder, training)
    checkpoints = list((folder / "checkpoints").glob("*.safetensors"))
    assert len(checkpoints) == 1
    found = load_checkpoint(checkpoints[0])
    assert found is not None
    assert 4 <= found[1]["step"] < 24
    for out in ("killed", "whole"):
        done = command("study", "run", path, "--out", tmp_path / out)
        assert done.code == 0, done.err
    left, right = learned(folder), learned(whole)
    assert left.keys() == right.keys()
    for key, vectors in left.items():
        assert torch.equal(vectors, right[key])
    assert not list(folder.rglob("*.partial"))
