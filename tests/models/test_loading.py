"""Loading: folders, hub ids, devices, formats, and everything that can be wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import promptlab as pl
from promptlab.errors import AssetError, InputError
from promptlab.models import loading
from promptlab.models.causal import CausalModel
from promptlab.models.content_hash import weights_key
from promptlab.models.loading import from_transformers, load
from promptlab.models.local import LocalModel
from promptlab.models.masked import MaskedModel
from promptlab.models.seq2seq import Seq2SeqModel
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair

Save = Callable[..., Path]
PROMPT = Template("the film . It was {mask}").render({})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("tiny_causal", CausalModel),
        ("tiny_capped", CausalModel),  # its attention is soft-capped, too
        ("tiny_masked", MaskedModel),
        ("tiny_seq2seq", Seq2SeqModel),
        ("tiny_bart", Seq2SeqModel),
    ],
)
def test_a_folder_is_a_model(
    name: str, kind: type[LocalModel], folder_of: Save, request: pytest.FixtureRequest
) -> None:
    pair = request.getfixturevalue(name)
    folder = folder_of(pair)
    model = load(str(folder), device="cpu", dtype="float32")
    assert type(model) is kind
    assert (model.name, model.device, model.dtype) == (str(folder), "cpu", "float32")
    expected = from_transformers(*pair).score([PROMPT], ["great", "marvellous"]).logprobs
    found = model.score([PROMPT], ["great", "marvellous"]).logprobs
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.describe() == {
        "name": str(folder),
        "family": model.family,
        "key": model.key,
        "device": "cpu",
        "dtype": "float32",
        "weights": weights_key(str(folder))[:24],
    }


def test_files_that_change_while_they_are_read_are_no_model(
    folder_of: Save, tiny_gpt2: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tiny_gpt2)
    read = loading.pretrained

    def changing(what: str, *arguments: Any, **options: Any) -> Any:
        found = read(what, *arguments, **options)
        if what == "causal":
            (folder / "generation_config.json").write_text('{"max_length": 77}')
        return found

    monkeypatch.setattr(loading, "pretrained", changing)
    with pytest.raises(InputError, match="have changed while they were read"):
        load(str(folder), device="cpu", dtype="float32")


def test_a_folder_under_the_home_is_found(
    folder_of: Save, tiny_gpt2: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tiny_gpt2)
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load("~/model", device="cpu", dtype="float32").family == "causal"


def edited(folder: Path, **changes: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def test_a_folder_without_weights(folder_of: Save, tiny_gpt2: Pair) -> None:
    folder = folder_of(tiny_gpt2)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no weights: no \*\.safetensors file \(model\.save"):
        load(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(InputError, match=r"pytorch_model\.bin cannot be trusted: convert it"):
        load(str(folder))


def test_folders_that_are_no_models(folder_of: Save, tiny_gpt2: Pair, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is no model folder: it has no config\.json"):
        load(str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"the model folder .*none does not exist"):
        load(str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"the model folder \./none does not exist"):
        load("./none")
    folder = folder_of(tiny_gpt2)
    (folder / "config.json").write_text("{not json")
    with pytest.raises(InputError, match=r"config\.json is not valid JSON"):
        load(str(folder))


def test_damaged_weights(folder_of: Save, tiny_gpt2: Pair) -> None:
    folder = folder_of(tiny_gpt2)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(
        InputError, match=r"the weights in .*model\.safetensors cannot be read.*not whole"
    ):
        load(str(folder), device="cpu", dtype="float32")


def test_a_folder_without_a_tokenizer(folder_of: Save, tiny_gpt2: Pair) -> None:
    folder = folder_of(tiny_gpt2)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(
        InputError, match=r"has no tokenizer: none of tokenizer\.json, .*tokenizer\.save"
    ):
        load(str(folder), device="cpu", dtype="float32")


def test_an_architecture_without_a_head(folder_of: Save, tiny_masked: Pair) -> None:
    folder = edited(folder_of(tiny_masked), architectures=["BertModel"])
    with pytest.raises(InputError, match="architecture BertModel, which is no language model"):
        load(str(folder), device="cpu", dtype="float32")
    assert load(str(folder), device="cpu", dtype="float32", family="masked").family == "masked"
    edited(folder, architectures=None)
    with pytest.raises(InputError, match=r"architecture unknown.*family="):
        load(str(folder))


def test_an_architecture_nobody_knows(folder_of: Save, tiny_gpt2: Pair) -> None:
    folder = edited(
        folder_of(tiny_gpt2), model_type="mystery", architectures=["MysteryForCausalLM"]
    )
    with pytest.raises(InputError, match=r"the config of .* cannot be (loaded|read)"):
        load(str(folder))


def test_code_in_a_folder_is_not_run(folder_of: Save, tiny_gpt2: Pair, tmp_path: Path) -> None:
    folder = edited(
        folder_of(tiny_gpt2),
        model_type="mystery",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    )
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError):
        load(str(folder))
    assert not (tmp_path / "ran").exists()


def test_a_hub_id_without_a_network_says_what_to_do() -> None:
    with pytest.raises(AssetError) as caught:
        load("nobody/no-such-model")
    message = str(caught.value)
    for part in ("smollm2-135m", "bert-tiny", "hf download nobody/no-such-model --local-dir DIR"):
        assert part in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu-9"}, "unknown device 'tpu-9'; use auto, cpu"),
        ({"device": "cpu", "dtype": "float8"}, "unknown dtype 'float8'; use auto, float32"),
    ],
)
def test_unknown_devices_and_formats(
    options: dict[str, str], message: str, folder_of: Save, tiny_gpt2: Pair
) -> None:
    with pytest.raises(InputError, match=message):
        load(str(folder_of(tiny_gpt2)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_format_asked_for_is_used(dtype: str, folder_of: Save, tiny_gpt2: Pair) -> None:
    model = load(str(folder_of(tiny_gpt2)), device="cpu", dtype=dtype)
    assert model.dtype == dtype
    plain = from_transformers(*tiny_gpt2).score([PROMPT], ["great", "marvellous"]).logprobs
    found = model.score([PROMPT], ["great", "marvellous"]).logprobs
    np.testing.assert_allclose(found, plain, atol=0.5, rtol=0.05)


def test_deterministic_means_fp32_and_alone(folder_of: Save, tiny_gpt2: Pair) -> None:
    model = load(str(folder_of(tiny_gpt2)), device="cpu", deterministic=True)
    assert model.dtype == "float32"
    assert model.engine.runner.budget.tokens == 1
    assert not model.engine.runner.can_share_prefixes
    assert model.engine.deterministic


def test_the_key_follows_weights_and_format(folder_of: Save, tiny_gpt2: Pair) -> None:
    folder = folder_of(tiny_gpt2)
    first = load(str(folder), device="cpu", dtype="float32").key
    assert load(str(folder), device="cpu", dtype="float32").key == first
    assert load(str(folder), device="cpu", dtype="bfloat16").key != first
    with torch.no_grad():
        changed = load(str(folder), device="cpu", dtype="float32").engine.network.model
        changed.lm_head.weight[0, 0] += 1
    changed.save_pretrained(folder)
    assert load(str(folder), device="cpu", dtype="float32").key != first


def test_the_window_is_the_smaller_of_models_and_tokenizers(tiny_gpt2: Pair) -> None:
    model, tokenizer = tiny_gpt2
    assert from_transformers(model, tokenizer).max_tokens == 256
    before = tokenizer.model_max_length
    try:
        tokenizer.model_max_length = 100
        assert from_transformers(model, tokenizer).max_tokens == 100
    finally:
        tokenizer.model_max_length = before


def test_missing_weights_are_refused_and_not_drawn_at_random(
    tiny_masked: Pair, folder_of: Callable[[Pair], Path]
) -> None:
    from safetensors.torch import load_file, save_file

    path = folder_of(tiny_masked) / "model.safetensors"
    tensors = load_file(path)
    dropped = next(name for name in tensors if "query.weight" in name)
    del tensors[dropped]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 tensors are missing, such as .*query\.weight"):
        load(str(path.parent), device="cpu", dtype="float32", cache=False)


def test_a_folder_saved_again_gives_its_own_scores(tmp_path: Path) -> None:
    """In one process, through the pool, and from the features on disk; same place, same sizes."""
    prompt = Template("a film {mask}").render({})
    found: list[Any] = []
    for turn in range(3):
        model, tokenizer = tiny_models.gpt2()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3 * turn)
        model.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        for path in tmp_path.iterdir():
            os.utime(path, (9, 9))
        expected = from_transformers(model, tokenizer).score([prompt], ["good", "bad"]).logprobs
        pooled = pl.load_model(str(tmp_path), dtype="float32")
        assert pl.load_model(str(tmp_path), dtype="float32") is pooled
        for loaded in (pooled, load(str(tmp_path), dtype="float32")):
            scores = loaded.score([prompt], ["good", "bad"]).logprobs
            np.testing.assert_allclose(scores, expected, atol=1e-4)
        found.append(expected)
    assert not np.allclose(found[0], found[1], atol=1e-2)


def test_a_wrapped_model_s_key_knows_its_configuration(tiny_gpt2: Pair) -> None:
    model, tokenizer = tiny_gpt2
    before = from_transformers(model, tokenizer).key
    kept = model.config.layer_norm_epsilon
    model.config.layer_norm_epsilon = 1e-3
    try:
        assert from_transformers(model, tokenizer).key != before
    finally:
        model.config.layer_norm_epsilon = kept
