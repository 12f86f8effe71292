"""Model folders from somebody else: nothing but safetensors is opened, nothing hangs or grows."""

from __future__ import annotations

import json
import os
import pickle
import re
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from promptlab.errors import InputError, NotFiniteError
from promptlab.models.checkpoints.folder import check_folder, shards
from promptlab.models.checkpoints.no_pickles import no_pickles
from promptlab.models.known_models import check_known
from promptlab.models.loading import load
from tests.helpers.tiny_models import Pair

Save = Callable[..., Path]


class Canary:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def folder(folder_of: Save, tiny_gpt2: Pair) -> Path:
    return folder_of(tiny_gpt2)


@pytest.fixture
def canary(tmp_path: Path) -> Any:
    """A pickle that writes a file; at the end of the test there is none."""
    ran = tmp_path / "ran"
    yield pickle.dumps(Canary(ran))
    assert not ran.exists(), "a pickle was opened"
    pickle.loads(pickle.dumps(Canary(ran)))
    assert ran.exists()  # it would have told


def refused(folder: Path, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load(str(folder), device="cpu", dtype="float32")


def edited(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text()) if path.exists() else {}
    document |= changes
    kept = {key: value for key, value in document.items() if value is not ...}
    path.write_text(json.dumps(kept))


def sharded(folder: Path, name: object) -> Path:
    """The folder with an index that says that all weights are in a file of this name."""
    names = list(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, name)}))
    return folder


def test_an_index_of_safetensors_is_followed(folder: Path) -> None:
    assert load(str(sharded(folder, "part.safetensors")), device="cpu", dtype="float32")


@pytest.mark.parametrize(
    "name",
    ["x.bin", "x.pt", "../part.safetensors", "/etc/passwd", "/x.safetensors", "", 7, None,
     "a/b.bin", ".hidden.safetensors", "part.safetensors\0", ["part.safetensors"]],
)  # fmt: skip
def test_an_index_that_names_anything_else_is_refused(
    folder: Path, canary: bytes, name: object
) -> None:
    sharded(folder, name)
    for pickled in ("x.bin", "x.pt"):
        (folder / pickled).write_bytes(canary)
    refused(folder, r"says that .* is in .*only safetensors files of the same folder are opened")


def test_an_index_without_files_or_with_missing_ones(folder: Path) -> None:
    sharded(folder, "gone.safetensors")
    refused(folder, r"there is no file .*gone\.safetensors")
    for value in (None, [], {}, "x"):
        with pytest.raises(InputError, match="has no weight_map"):
            shards({"weight_map": value}, "here")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../model.safetensors", "/x.safetensors", 3])
def test_a_config_that_names_other_weights_is_refused(
    folder: Path, canary: bytes, name: object
) -> None:
    (folder / "pytorch_model.bin").write_bytes(canary)
    edited(folder / "config.json", transformers_weights=name)
    refused(folder, r"config\.json names the weights .*only safetensors files")


def test_a_config_that_names_safetensors_is_followed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    edited(folder / "config.json", transformers_weights="other.safetensors")
    assert load(str(folder), device="cpu", dtype="float32")


def test_a_pickle_that_is_called_safetensors(folder: Path, canary: bytes, tmp_path: Path) -> None:
    (folder / "model.safetensors").write_bytes(canary)
    refused(folder, "it is no safetensors file")
    with zipfile.ZipFile(folder / "model.safetensors", "w") as archive:
        archive.writestr("archive/data.pkl", canary)
    refused(folder, "it is no safetensors file")
    torch.save({"a": Canary(tmp_path / "ran")}, folder / "model.safetensors")
    refused(folder, "it is no safetensors file")


def test_pickles_beside_the_weights_are_not_opened(folder: Path, canary: bytes) -> None:
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "vocab.pkl",
                 "tokenizer.model", "spiece.model", "rng_state.pth", "x.npy"):  # fmt: skip
        (folder / name).write_bytes(canary)
    assert load(str(folder), device="cpu", dtype="float32")


@pytest.mark.parametrize("name", ["tokenizer.model", "spiece.model", "vocab.txt", "vocab.json"])
def test_a_tokenizer_that_is_a_pickle(folder: Path, canary: bytes, name: str) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / name).write_bytes(canary)
    refused(folder, "tokenizer|cannot be used")


def test_an_adapter_that_is_a_pickle(folder: Path, canary: bytes) -> None:
    (folder / "adapter_model.bin").write_bytes(canary)
    edited(
        folder / "adapter_config.json",
        peft_type="LORA",
        base_model_name_or_path="https://evil.example/model",
        r=1,
        target_modules=["c_attn"],
    )
    refused(folder, r"adapter_config\.json without adapter_model\.safetensors")
    (folder / "adapter_model.safetensors").write_bytes(canary)
    refused(folder, re.escape(str(folder)))


def test_code_from_elsewhere_is_not_asked_for(folder: Path) -> None:
    edited(folder / "config.json", attn_implementation="kernels-community/anything")
    refused(folder, "asks for code from elsewhere")


def test_no_pickle_is_opened_while_a_model_is_loaded(tmp_path: Path, canary: bytes) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.array([Canary(tmp_path / "ran")], dtype=object), allow_pickle=True)
    weights = tmp_path / "x.bin"
    torch.save({"a": torch.ones(2)}, weights)
    with no_pickles("mine"):
        for work in (
            lambda: pickle.loads(canary),
            lambda: np.load(file, allow_pickle=True),
            lambda: torch.load(weights),
            lambda: torch.load(weights, weights_only=False),
        ):
            with pytest.raises(InputError, match="mine has a file that is a pickle"):
                work()
        elsewhere: list[Any] = []
        thread = threading.Thread(target=lambda: elsewhere.append(torch.load(weights)))
        thread.start()
        thread.join()
        assert len(elsewhere) == 1  # other threads go on as they were
    assert torch.load(weights)["a"].shape == (2,)
    assert "guarded" not in torch.load.__qualname__


def test_what_is_no_file_is_never_opened(folder: Path) -> None:
    """Reading a pipe would wait for ever."""
    for name in ("config.json", "model.safetensors", "tokenizer.json", "generation_config.json",
                 "adapter_config.json", "chat_template.jinja", "merges.txt"):  # fmt: skip
        path = folder / name
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        refused(folder, rf"{name} is a pipe, no file")
        path.unlink()
        path.symlink_to("/dev/zero")
        refused(folder, rf"{name} is a device, no file")
        path.unlink()
        path.symlink_to(path)
        refused(folder, rf"{name} (cannot be read|is a link)|has no tokenizer")
        path.unlink()
        if before is not None:
            path.write_bytes(before)
    assert load(str(folder), device="cpu", dtype="float32")
    os.mkfifo(folder.parent / "pipe.gguf")
    refused(folder.parent / "pipe.gguf", "is a pipe, no file")
    os.mkfifo(folder.parent / "pipe")
    refused(folder.parent / "pipe", "is a file, no folder")


def test_files_of_a_gigabyte_are_not_read(folder: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        before = (folder / name).read_bytes()
        with (folder / name).open("r+b") as stream:
            stream.truncate(2**30)
        refused(folder, rf"{name} has 1\.07 GB and at most")
        (folder / name).write_bytes(before)


CONFIGS: list[dict[str, Any]] = [
    {"n_head": 0}, {"n_head": -1}, {"n_head": "four"}, {"n_head": 10**9}, {"n_head": 2.5},
    {"n_embd": 10**9}, {"n_embd": -32}, {"n_embd": 0}, {"n_embd": "32"}, {"n_embd": None},
    {"n_embd": True}, {"n_embd": 48}, {"n_layer": 10**9}, {"n_layer": -1}, {"n_layer": 3},
    {"n_layer": [2]}, {"n_positions": 10**9}, {"n_positions": -1}, {"n_positions": 0},
    {"n_positions": 50_000}, {"n_inner": 10**9}, {"vocab_size": 10**12}, {"vocab_size": 7},
    {"vocab_size": {}}, {"layer_norm_epsilon": "small"}, {"layer_norm_epsilon": float("nan")},
    {"activation_function": "boom"}, {"activation_function": 7}, {"architectures": "GPT2"},
    {"architectures": {"a": 1}}, {"architectures": [None]}, {"architectures": 3},
    {"model_type": "bert"}, {"model_type": None}, {"model_type": 7}, {"model_type": "t5"},
    {"torch_dtype": "boom"}, {"dtype": "boom"}, {"dtype": 7}, {"quantization_config": {}},
    {"quantization_config": {"quant_method": "gptq", "bits": 4}}, {"quantization_config": 7},
    {"is_encoder_decoder": "yes"}, {"is_encoder_decoder": True}, {"bos_token_id": "x"},
    {"pad_token_id": 10**9}, {"tie_word_embeddings": "no"}, {"initializer_range": []},
    {"fusion_config": {"a": 1}}, {"text_config": 7}, {"text_config": {"n_embd": 1}},
    {"id2label": 7}, {"num_labels": 10**9}, {"use_cache": {}}, {"distributed_config": {"x": 1}},
    {"add_cross_attention": True}, {"scale_attn_weights": None}, {"layer_types": ["boom"]},
]  # fmt: skip


@pytest.mark.parametrize("changes", CONFIGS, ids=lambda changes: str(changes)[:60])
def test_a_config_of_another_shape_is_told_in_a_sentence(
    folder: Path, changes: dict[str, Any]
) -> None:
    """Some of them change nothing; none hangs, takes the memory or ends in a traceback."""
    edited(folder / "config.json", **changes)
    try:
        made = load(str(folder), device="cpu", dtype="float32")
    except (InputError, NotFiniteError) as error:
        assert str(folder) in str(error)
    else:
        assert made.family == "causal"


@pytest.mark.parametrize("content", ["", "null", "[]", "3", "{", '{"a": ' * 99999, "\udcff", "é"])
def test_settings_that_are_none(folder: Path, content: str) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
        refused(folder, re.escape(str(folder)))
        (folder / name).write_bytes(before)


def test_tensors_of_another_shape(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    for name, tensor in (
        ("transformer.wte.weight", torch.zeros(480, 32)),
        ("transformer.h.0.mlp.c_fc.weight", torch.zeros(32, 7)),
        ("transformer.h.1.ln_1.bias", torch.zeros(0)),
        ("transformer.h.1.ln_1.weight", torch.zeros(2, 2, 2)),
    ):
        save_file(tensors | {name: tensor}, folder / "model.safetensors", metadata={"format": "pt"})
        refused(folder, re.escape(str(folder)))


def test_a_folder_that_is_known_is_checked_without_its_weights(folder: Path) -> None:
    assert check_known(str(folder)).name == str(folder)
    edited(folder / "config.json", n_embd=-3)
    with pytest.raises(InputError, match="n_embd -3"):
        check_known(str(folder))
    edited(folder / "config.json", n_embd=32, architectures=[[]])
    with pytest.raises(InputError):
        check_known(str(folder))


def test_a_good_folder_passes(folder: Path) -> None:
    check_folder(folder)
    model = load(str(folder), device="cpu", dtype="float32")
    (folder / "README.md").write_text("a model")
    (folder / "onnx").mkdir()
    assert load(str(folder), device="cpu", dtype="float32").key == model.key
