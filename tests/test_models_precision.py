"""Device and format: as asked, else by a measurement that is remembered."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from promptlab.errors import InputError
from promptlab.models import precision

CPU = torch.device("cpu")


def config(width: int = 64) -> Any:
    text = SimpleNamespace(hidden_size=width)
    return SimpleNamespace(get_text_config=lambda: text)


@pytest.fixture
def gain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The gain that a measurement finds, and how often one was made."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    found = [2.0]

    def measured(width: int) -> float:
        found.append(width)
        return found[0]

    monkeypatch.setattr(precision, "_measured_gain", measured)
    return found


def test_what_is_asked_for_is_taken() -> None:
    assert precision.choose_device("cpu") == CPU
    assert precision.choose_dtype("float16", CPU, None) is torch.float16
    with pytest.raises(InputError, match="unknown device 'gpu'; use auto, cpu, cuda"):
        precision.choose_device("gpu")
    with pytest.raises(InputError, match="unknown dtype 'int8'; use auto, float32, bfloat16"):
        precision.choose_dtype("int8", CPU, None)


def test_a_missing_accelerator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert precision.choose_device() == CPU
    with pytest.raises(InputError, match=r"no.* device .*here.*; use --device cpu"):
        precision.choose_device("cuda:0")


def test_accelerators_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    cuda = precision.choose_device()
    assert cuda.type == "cuda"
    assert precision.choose_dtype("auto", cuda, None) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert precision.choose_dtype("auto", cuda, None) is torch.float16
    assert precision.choose_dtype("auto", torch.device("mps"), None) is torch.float32


def test_a_cpu_gets_what_was_measured_faster(gain: list[float], tmp_path: Path) -> None:
    assert precision.choose_dtype("auto", CPU, config()) is torch.bfloat16
    assert precision.choose_dtype("auto", CPU, config()) is torch.bfloat16
    assert gain[1:] == [64]  # measured once
    gain[0] = 1.1
    assert precision.choose_dtype("auto", CPU, config(128)) is torch.float32
    assert gain[1:] == [64, 128]
    assert sorted(json.loads((tmp_path / "machine.json").read_text()).values()) == [1.1, 2.0]


@pytest.mark.parametrize("content", ["{cut off", '["a list"]', ""])
def test_a_damaged_memory_is_measured_again(
    gain: list[float], tmp_path: Path, content: str
) -> None:
    (tmp_path / "machine.json").write_text(content)
    assert precision.choose_dtype("auto", CPU, config()) is torch.bfloat16
    assert len(json.loads((tmp_path / "machine.json").read_text())) == 1


def test_the_measurement_itself() -> None:
    assert 0.01 < precision._measured_gain(32) < 1000
