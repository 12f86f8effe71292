"""Documents of saved predictors: every mistake names the key, what was found, and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import promptlab as pl
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor, load
from tests.fuzz._saved import TEXTS, learned_predictors, predicted, predictors
from tests.helpers.tiny_models import Pair

ANSWERS = {"negative": "bad", "positive": "good"}
TEMPLATE = "{text} It was {mask}"


@pytest.fixture(scope="module")
def made(causal: LocalModel) -> dict[str, Predictor]:
    return predictors(causal) | learned_predictors(causal)


def test_every_kind_is_the_same_when_it_is_loaded(
    made: dict[str, Predictor], causal: LocalModel, tmp_path: Path
) -> None:
    for name, one in made.items():
        assert predicted(load(one.save(tmp_path / name), causal)) == predicted(one), name


def edit(folder: Path, way: str, value: Any, file: str = "predictor.json") -> None:
    """Set what stands at a dotted place; ``...`` removes it."""
    path = folder / file
    document = json.loads(path.read_text())
    owner, keys = document, way.split(".")
    for key in keys[:-1]:
        owner = owner[int(key) if key.isdigit() else key]
    last: Any = int(keys[-1]) if keys[-1].isdigit() else keys[-1]
    if value is ...:
        del owner[last]
    else:
        owner[last] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("kind", "way", "value", "told"),
    [
        ("classifier", "format", True, "has format True"),
        ("classifier", "format", "1", "has format '1'"),
        ("classifier", "predictor", ["x"], "the key predictor: .*found \\['x'\\]"),
        ("classifier", "model.name", 7, "the key model.name: .*string, found 7"),
        ("classifier", "model", [], "the key model: .*found \\[\\]"),
        ("classifier", "extra", 1, "the key extra: extra inputs are not permitted"),
        ("classifier", "fields", ["other"], "says that it reads the fields other, .*read text"),
        ("classifier", "seen.train", [3], "the key seen.train.0"),
        ("classifier", "columns", {"fields": 3}, "the key columns.fields"),
        ("classifier", "files", {"../x": "0"}, "names the file '../x' outside of its folder"),
        ("classifier", "files", {"/etc/passwd": "0"}, "'/etc/passwd' outside of its folder"),
        ("classifier", "files", {"gone.json": "0"}, "there is no file .*gone\\.json"),
        ("classifier", "settings.prior", [0.0], "prior has 1 numbers for 4 answers"),
        ("classifier", "settings.prior", [0, 0, 0, float("nan")], "holds NaN, which is no number"),
        ("classifier", "settings.prior", [0, 0, 0, float("inf")], "holds Infinity"),
        ("classifier", "settings.prior", [0, 0, 0, "0"], "the key prior.3: .*found '0'"),
        ("classifier", "settings.prior", [0, 0, 0, 1e999], "holds Infinity"),
        ("classifier", "settings.calibration", "boom", "unknown calibration 'boom'"),
        ("classifier", "settings.template.text", "no slot", "no answer slot"),
        ("classifier", "settings.choice.count", 10**30, "the key choice.count"),
        ("classifier", "settings.choice.count", -1, "the key choice.count"),
        ("classifier", "settings.choice.seed", "13", "the key choice.seed: .*integer, found '13'"),
        ("demonstrations", "settings.demonstrations.0.answer", 3, "demonstrations.0.answer"),
        ("nearest", "settings.pool.0.fields", ["x"], "the key pool.0.fields"),
        ("nearest", "settings.pool.0.label", "other", "other"),
        ("nearest", "settings.pool.0.label", None, "None"),
        ("generator", "settings.decoding.max_tokens", 0, "the key decoding.max_tokens"),
        ("generator", "settings.decoding.temperature", -1, "temperature is -1"),
        ("generator", "settings.parser", {"type": "boom"}, "'type' must be one of"),
        ("consistency", "settings.samples", 10**9, "the key samples"),
        ("consistency", "settings.inner.predictor", "Oracle", "'Oracle' is unknown here"),
        ("consistency", "settings.inner.settings", {}, "PromptGenerator within: .*template"),
        ("ensemble", "settings.rule.weights", [1], "a rule has 1 weights for"),
        ("ensemble", "settings.rule.weights", [1, 1, float("nan")], "holds NaN"),
        ("ensemble", "settings.members", [], "the key members"),
        ("cascade", "settings.thresholds", [0.1, 0.2], "there are 2 thresholds for 2 members"),
        ("cascade", "settings.thresholds", [-1], "the key thresholds.0"),
        ("mixture", "settings.weights", [0.5, 0.1], "the weights sum to 0.6 and not to 1"),
        ("mixture", "settings.weights", [], "the key weights"),
        ("tree", "settings.search.depth", 10**9, "the key search.depth"),
        ("tree", "settings.judgement.worths", {"sure": "1"}, "the key judgement.worths.sure"),
        ("soft", "model.learned", ..., "learned parts beside it are others"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_document_is_named(
    made: dict[str, Predictor],
    causal: LocalModel,
    tmp_path: Path,
    kind: str,
    way: str,
    value: Any,
    told: str,
) -> None:
    folder = made[kind].save(tmp_path)
    edit(folder, way, value)
    with pytest.raises(InputError, match=told) as caught:
        load(folder, causal)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "way", "value", "told"),
    [
        ("soft", "format", 2, "has format 2"),
        ("soft", "soft", [["0", 4]], "3 rows of vectors where 4 belong"),
        ("soft", "soft", [["0", 0]], "the key soft.0.1"),
        ("soft", "soft", "0", "the key soft: .*found '0'"),
        ("triggers", "triggers", [[-1, 2]], "the key triggers.0.0"),
        ("triggers", "triggers", [["5", 2]], "the key triggers.0.0"),
        ("triggers", "triggers", [[10**6, 2]], "the trigger token 1000000 is outside"),
        ("soft", "fits.width", 7, "vectors of width 7"),
        ("lora", "weights.lora.r", 0, "the key weights.lora.r"),
        ("lora", "weights.lora.r", 10**9, "has the shape"),
        ("lora", "weights.lora.target_modules", "q_proj", "weights.lora.target_modules"),
        ("lora", "weights.lora.auto_mapping", {"a": "b"}, "auto_mapping: extra inputs"),
    ],
)
def test_what_is_wrong_beside_learned_tensors_is_named(
    made: dict[str, Predictor],
    causal: LocalModel,
    tmp_path: Path,
    kind: str,
    way: str,
    value: Any,
    told: str,
) -> None:
    folder = made[kind].save(tmp_path)
    edit(folder, way, value, "learned.json")
    with pytest.raises(InputError, match=r"learned\.json was changed after the predictor was"):
        load(folder, causal)
    edit(folder, "files", ...)  # as an earlier version has saved it
    with pytest.raises(InputError, match=told):
        load(folder, causal)


def test_tensors_that_are_others_are_refused(
    made: dict[str, Predictor], causal: LocalModel, tmp_path: Path
) -> None:
    for kind, file, name in (
        ("soft", "learned.safetensors", "vectors"),
        ("prefix", "learned.safetensors", "prefix"),
        ("head", "learned.safetensors", "head_bias"),
        ("tuned", "weights.safetensors", "model.layers.1.mlp.down_proj.weight"),
    ):
        folder = made[kind].save(tmp_path / kind)
        tensors = load_file(folder / file)
        for change, told in (
            (tensors[name] * 1.0001, "the learned parts beside it are others"),
            (tensors[name] * float("nan"), f"the tensor {name} holds NaN or infinity"),
            (tensors[name] / 0, f"the tensor {name} holds NaN or infinity"),
            (tensors[name].int(), f"the tensor {name} holds torch.int32 values"),
            (tensors[name][..., :1], ""),
            (tensors[name][None], ""),
        ):
            save_file(tensors | {name: change.contiguous()}, folder / file)
            with pytest.raises(InputError, match=told or str(folder)):
                load(folder, causal)
        save_file(tensors | {"more": tensors[name].clone()}, folder / file)
        with pytest.raises(InputError, match="more"):
            load(folder, causal)
        (folder / file).unlink()
        os.mkfifo(folder / file)
        with pytest.raises(InputError, match=rf"{file} is a pipe, no file"):
            load(folder, causal)


def test_members_that_were_exchanged_are_refused(
    made: dict[str, Predictor], causal: LocalModel, tmp_path: Path
) -> None:
    folder = made["ensemble"].save(tmp_path / "saved")
    members = folder / "members"
    (members / "0").rename(members / "x")
    (members / "1").rename(members / "0")
    (members / "x").rename(members / "1")
    with pytest.raises(InputError, match=r"members/0/predictor\.json was changed after"):
        load(folder, causal)


def test_a_member_of_itself_is_refused(
    made: dict[str, Predictor], causal: LocalModel, tmp_path: Path
) -> None:
    folder = made["cascade"].save(tmp_path / "saved")
    edit(folder, "files", ...)
    (folder / "members" / "0").rename(tmp_path / "aside")
    (folder / "members" / "0").symlink_to(folder)
    with pytest.raises(InputError, match="is a member of itself"):
        load(folder, causal)


def test_members_a_hundred_levels_deep_are_refused(causal: LocalModel, tmp_path: Path) -> None:
    one: Predictor = pl.PromptClassifier(TEMPLATE, ANSWERS, causal)
    inner = pl.Ensemble([one])
    inner.save(tmp_path / "0")
    for level in range(1, 100):
        (tmp_path / str(level) / "members").mkdir(parents=True)
        (tmp_path / str(level) / "members" / "0").symlink_to(tmp_path / str(level - 1))
        text = (tmp_path / "0" / "predictor.json").read_text()
        (tmp_path / str(level) / "predictor.json").write_text(text)
        edit(tmp_path / str(level), "files", ...)
    with pytest.raises(InputError, match="levels deep"):
        load(tmp_path / "99", causal)
    assert load(tmp_path / "9", causal).predict(TEXTS).labels == one.predict(TEXTS).labels


def test_a_model_whose_files_have_changed_is_told(
    folder_of: Callable[..., Path], tiny_gpt2: Pair, tmp_path: Path
) -> None:
    model = pl.load_model(str(folder_of(tiny_gpt2)), device="cpu", dtype="float32")
    saved = pl.PromptClassifier(TEMPLATE, ANSWERS, model).save(tmp_path / "saved")
    options = {"device": "cpu", "dtype": "float32"}
    expected = load(saved, **options).predict(TEXTS).labels
    file = tmp_path / "model" / "model.safetensors"
    tensors = load_file(file)
    save_file({k: v + 0.1 for k, v in tensors.items()}, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"the weights of .* are not those"):
        load(saved, **options)
    assert load(saved, str(tmp_path / "model"), **options).predict(TEXTS).labels is not None
    save_file(tensors, file, metadata={"format": "pt"})
    assert load(saved, **options).predict(TEXTS).labels == expected


def test_predictors_of_earlier_versions_load(causal: LocalModel, tmp_path: Path) -> None:
    made = pl.PromptClassifier(TEMPLATE, ANSWERS, causal, calibration="contextual").fit([])
    folder = made.save(tmp_path)
    for key in ("files", "seen", "fields", "model.weights", "model.key"):
        edit(folder, key, ...)
    assert load(folder, causal).predict(TEXTS).labels == made.predict(TEXTS).labels
