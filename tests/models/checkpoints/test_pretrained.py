"""What is loaded lies in memory of its own: whoever writes into the files changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from promptlab.engine.scoring.request import ScoringContext
from promptlab.models.checkpoints.tensor_file import read_tensors
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.loading import load
from promptlab.tuning.trainer_state import load_checkpoint, save_checkpoint
from tests.helpers.tiny_models import Pair


@pytest.fixture
def folder(tiny_causal: Pair, tmp_path: Path) -> Path:
    for part in tiny_causal:
        part.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def overwrite(path: Path) -> None:
    """Write into a file from its middle on, in place."""
    size = path.stat().st_size
    with path.open("r+b") as stream:
        stream.seek(size // 2)
        stream.write(os.urandom(size - size // 2))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_that_are_changed_in_place_change_no_loaded_model(folder: Path, dtype: str) -> None:
    model = load(str(folder), device="cpu", dtype=dtype, cache=False)
    other = load(str(folder), device="cpu", dtype=dtype, cache=False)
    contexts = [ScoringContext((5, 6, n)) for n in range(7, 12)]
    before = model.engine.features(contexts)
    overwrite(folder / "model.safetensors")
    np.testing.assert_array_equal(other.engine.features(contexts), before)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at this system's list of mapped files")
def test_no_file_of_a_loaded_model_stays_mapped(folder: Path) -> None:
    model = load(str(folder), device="cpu", dtype="float32", cache=False)
    assert str(folder) not in Path("/proc/self/maps").read_text()
    tied = model.engine.network.model
    assert tied.get_input_embeddings().weight.dtype == torch.float32


def test_tied_weights_stay_tied(tiny_gpt2: Pair, tmp_path: Path) -> None:
    for part in tiny_gpt2:
        part.save_pretrained(tmp_path)
    model = load(str(tmp_path), device="cpu", dtype="float32", cache=False).engine.network.model
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight


def learned_vectors(folder: Path) -> torch.Tensor:
    LearnedParts(vectors=torch.ones(4, 2000), soft=(("0", 4),)).save(folder, {})
    found = LearnedParts.load(folder, {}).vectors
    assert found is not None
    overwrite(folder / "learned.safetensors")
    return found


def tensors_of_a_file(folder: Path) -> torch.Tensor:
    path = folder / "a.safetensors"
    save_file({"a": torch.ones(4, 2000)}, path)
    found: torch.Tensor = read_tensors(path)["a"]
    overwrite(path)
    return found


def checkpoint(folder: Path) -> torch.Tensor:
    path = folder / "state"
    save_checkpoint(path, {"a": torch.ones(4, 2000)}, {})
    found = load_checkpoint(path)
    assert found is not None
    overwrite(path)
    return found[0]["a"]


@pytest.mark.parametrize("read", [learned_vectors, tensors_of_a_file, checkpoint])
def test_what_was_learned_is_not_changed_by_its_file(
    read: Callable[[Path], torch.Tensor], tmp_path: Path
) -> None:
    assert torch.equal(read(tmp_path), torch.ones(4, 2000))
