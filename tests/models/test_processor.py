"""The processor and its number formats: decided by its units, confirmed by a clear measurement."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from promptlab.models import precision, processor
from promptlab.models.processor import Processor, this_processor

PLAIN = Processor("some processor", frozenset({"avx2", "avx512f"}))
UNITS = Processor("some processor", frozenset({"avx2", "avx512f", "avx512_bf16"}))
CPU = torch.device("cpu")


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """A machine on which other work makes every product take up to several times as long."""
    chance = random.Random(3)

    def seconds(left: torch.Tensor, right: torch.Tensor) -> float:
        own = 0.001 if left.dtype == torch.float32 else 0.0004
        return own * chance.lognormvariate(0, 0.5) * (8 if chance.random() < 0.05 else 1)

    monkeypatch.setattr(processor, "_seconds", seconds)
    return chance


def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> torch.dtype:
    """What a machine that remembers nothing chooses."""
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path / str(number)))
    return precision.choose_dtype("auto", CPU)


def test_without_units_bf16_is_never_chosen_whatever_a_clock_says(
    busy: random.Random, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "this_processor", lambda: PLAIN)
    assert {drawn(tmp_path, monkeypatch, n) for n in range(200)} == {torch.float32}
    assert not list(tmp_path.iterdir())  # nothing was measured, so nothing is kept


def test_with_units_a_busy_machine_chooses_the_same_every_time(
    busy: random.Random, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "this_processor", lambda: UNITS)
    assert {drawn(tmp_path, monkeypatch, n) for n in range(200)} == {torch.bfloat16}


def test_units_that_gain_nothing_clear_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(4)
    monkeypatch.setattr(processor, "_seconds", lambda *_: chance.lognormvariate(0, 0.3))
    monkeypatch.setattr(precision, "this_processor", lambda: UNITS)
    assert {drawn(tmp_path, monkeypatch, n) for n in range(200)} == {torch.float32}


def test_what_is_kept_belongs_to_one_processor(
    busy: random.Random, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "this_processor", lambda: UNITS)
    assert drawn(tmp_path, monkeypatch, 0) is torch.bfloat16
    other = Processor("another processor", UNITS.flags)
    monkeypatch.setattr(precision, "this_processor", lambda: other)
    monkeypatch.setattr(precision, "is_clearly_faster", lambda: False)
    assert drawn(tmp_path, monkeypatch, 0) is torch.float32
    monkeypatch.setattr(precision, "this_processor", lambda: UNITS)
    assert drawn(tmp_path, monkeypatch, 0) is torch.bfloat16


def test_a_processor_is_known_by_name_and_flags() -> None:
    found = this_processor()
    assert found.name and found.flags and found == this_processor()
    assert PLAIN.key != UNITS.key
    assert PLAIN.key == Processor("some processor", frozenset({"avx512f", "avx2"})).key


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("model name\t: Some Xeon\nflags\t\t: fpu avx512f amx_bf16 amx_tile\n", True),
        ("model name\t: Some Xeon\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("model name\t: Some EPYC\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\nCPU implementer\t: 0x41\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n", False),
    ],
)
def test_linux_tells_the_units(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, units: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "_told_by_torch", dict)
    assert this_processor.__wrapped__().has_bf16 is units


def test_the_measurement_itself() -> None:
    assert all(0 < gain < 10_000 for gain in processor._gains())
