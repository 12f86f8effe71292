"""Device and format: as asked, else by a measurement that is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from promptlab.errors import InputError
from promptlab.models import precision
from promptlab.models.processor import Processor

CPU = torch.device("cpu")


UNITS = Processor("some processor", frozenset({"avx512_bf16"}))


@pytest.fixture
def gain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bool]:
    """Whether a measurement finds a gain, and then what each one found."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    found = [True]

    def measured() -> bool:
        found.append(found[0])
        return found[0]

    monkeypatch.setattr(precision, "this_processor", lambda: UNITS)
    monkeypatch.setattr(precision, "is_clearly_faster", measured)
    return found


def test_what_is_asked_for_is_taken() -> None:
    assert precision.choose_device("cpu") == CPU
    assert precision.choose_dtype("float16", CPU) is torch.float16
    with pytest.raises(InputError, match="unknown device 'gpu'; use auto, cpu, cuda"):
        precision.choose_device("gpu")
    with pytest.raises(InputError, match="unknown dtype 'int8'; use auto, float32, bfloat16"):
        precision.choose_dtype("int8", CPU)


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
    assert precision.choose_dtype("auto", cuda) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert precision.choose_dtype("auto", cuda) is torch.float16
    assert precision.choose_dtype("auto", torch.device("mps")) is torch.float32


def test_a_cpu_gets_what_was_measured_faster(
    gain: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    gain[0] = False  # what was chosen is kept
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    assert len(gain) == 2
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    assert precision.choose_dtype("auto", CPU) is torch.float32
    kept = json.loads((tmp_path / "machine.json").read_text())
    assert sorted(entry["dtype"] for entry in kept.values()) == ["bfloat16", "float32"]


@pytest.mark.parametrize(
    "content",
    [
        "{cut off", '["a list"]', "", "3", "null", '"text"', "NaN", "[" * 100_000, "\x00\x01",
        '{"KEY": 2.5}', '{"KEY": "bfloat16"}', '{"KEY": NaN}', '{"KEY": {"dtype": "int3"}}',
        '{"KEY": {"dtype": ["bfloat16"]}}', '{"KEY": [{"dtype": "bfloat16"}]}', '{"KEY": null}',
    ],
)  # fmt: skip
def test_a_damaged_memory_is_measured_again_and_told(
    gain: list[bool], tmp_path: Path, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    key = f"{UNITS.key} torch-{torch.__version__} threads-{torch.get_num_threads()}"
    (tmp_path / "machine.json").write_text(content.replace("KEY", key))
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    assert "is measured again" in capfd.readouterr().err
    assert json.loads((tmp_path / "machine.json").read_text()) == {key: {"dtype": "bfloat16"}}
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    assert len(gain) == 2


def test_other_machines_in_a_damaged_memory_are_kept(gain: list[bool], tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"one": {"dtype": "float32"}, "two": 7}')
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    kept = json.loads((tmp_path / "machine.json").read_text())
    assert len(kept) == 2
    assert kept["one"] == {"dtype": "float32"}


def test_a_memory_that_is_no_file_is_told_and_does_without(
    gain: list[bool], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "machine.json").mkdir()
    (tmp_path / "machine.json" / "something").write_text("")
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    assert "cannot be kept" in capfd.readouterr().err


def test_bytes_that_are_no_text_are_measured_again(gain: list[bool], tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_bytes(bytes(range(256)))
    assert precision.choose_dtype("auto", CPU) is torch.bfloat16
    assert len(gain) == 2
