"""The log of learners' steps survives being killed and continued."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest

from promptlab.errors import DiskError
from promptlab.events import Phase, Step
from promptlab.study.folder.step_log import StepLog, read_steps


def test_steps_are_lines_that_can_be_watched(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "steps")
    log(Phase("search"))
    assert not (tmp_path / "steps").exists()
    log(Step(4, 0, {"loss": 0.5, "dev": 0.75}, {"tokens": "ein Wörtchen"}))
    log(Step(4, 1, {"loss": math.nan}))
    lines = log.file(4).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == read_steps(log.file(4))
    assert read_steps(log.file(4)) == [
        {"step": 0, "values": {"loss": 0.5, "dev": 0.75}, "notes": {"tokens": "ein Wörtchen"}},
        {"step": 1, "values": {"loss": None}, "notes": {}},
    ]
    assert read_steps(log.file(5)) == []


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    log = StepLog(tmp_path)
    log(Step(1, 0, {"loss": 3.0}))
    log(Step(1, 1, {"loss": 2.0}))
    with log.file(1).open("a") as stream:
        stream.write('{"step": 2, "val')
    later = StepLog(tmp_path)
    later.take_over(1, 7)
    later(Step(7, 1, {"loss": 1.5}))
    later(Step(7, 2, {"loss": 1.0}))
    assert not later.file(1).exists()
    assert [(row["step"], row["values"]["loss"]) for row in read_steps(later.file(7))] == [
        (0, 3.0), (1, 1.5), (2, 1.0),
    ]  # fmt: skip


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskError, match=r"4\.jsonl: the disk is full"):
        StepLog(tmp_path)(Step(4, 0))
