"""What happened in a study is written as it happens, and read whatever became of the writer."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

import promptlab as pl
from promptlab.errors import Cancelled
from promptlab.events import BlockScored, Phase, Step, StudyStarted, TrialAsked, TrialFinished
from promptlab.study.folder.event_log import LOG, EventLog, LogReader, read_log, storage_is_made


def test_events_are_lines_with_a_time(tmp_path: Path) -> None:
    with EventLog(tmp_path) as log:
        log(TrialAsked(0, "template", "it was"))
        log(Step(0, 1, {"loss": 0.5}))  # has a file of its own
        for done in (10, 20, 30):
            log(BlockScored(0, done, 30, 0.5))  # one a second is enough
        log(TrialFinished(0, "it was", "failed", float("nan"), 0.1, "no slot"))
    log(Phase("unheard"))
    rows = read_log(tmp_path)
    assert [row["event"] for row in rows] == ["TrialAsked", "BlockScored", "TrialFinished"]
    assert rows[0]["name"] == "it was" and rows[1]["done"] == 10
    assert rows[2]["value"] is None
    for row in rows:
        assert row["time"].endswith("Z")
        assert datetime.fromisoformat(row["time"]).tzinfo is not None
    assert read_log(str(tmp_path), tail=1) == rows[-1:]
    assert read_log(tmp_path / "nowhere") == []


def test_what_stops_a_study_is_noted(tmp_path: Path) -> None:
    with pytest.raises(Cancelled), EventLog(tmp_path):
        raise Cancelled("stopped as asked")
    with pytest.raises(pl.InputError), EventLog(tmp_path):
        raise pl.InputError("no key")
    with pytest.raises(ZeroDivisionError), EventLog(tmp_path):
        _ = 1 / 0
    rows = read_log(tmp_path)
    assert [row["cancelled"] for row in rows] == [True, False, False]
    assert [row["reason"] for row in rows[1:]] == ["no key", "ZeroDivisionError: division by zero"]


def test_a_killed_writer_leaves_a_readable_file(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b'{"time": "x", "event": "Phase", "name": "a"}\n{"time": "y", "ev')
    assert [row["name"] for row in read_log(tmp_path)] == ["a"]
    with EventLog(tmp_path) as log:
        log(Phase("b"))
    assert [row["name"] for row in read_log(tmp_path)] == ["a", "b"]


def test_a_long_log_is_read_from_its_end(tmp_path: Path) -> None:
    with (tmp_path / LOG).open("w") as stream:
        for number in range(3000):
            row = {"time": "t", "event": "Phase", "name": f"{number}{'x' * 60}"}
            stream.write(json.dumps(row) + "\n")
    for tail in (0, 1, 500, 2000, 5000):
        rows = read_log(tmp_path, tail=tail)
        assert len(rows) == min(tail, 3000)
        assert not rows or rows[-1]["name"].startswith("2999")


def test_a_storage_is_left_alone_while_it_is_made(tmp_path: Path) -> None:
    assert not storage_is_made(tmp_path)
    (tmp_path / "study.db").touch()
    assert storage_is_made(tmp_path)  # a study from before there were logs
    (tmp_path / LOG).write_text('{"a": [null]}\n')  # no event that any version wrote
    assert not storage_is_made(tmp_path)
    with EventLog(tmp_path) as log:
        log(Phase("loading the model"))
        assert not storage_is_made(tmp_path)
        log(StudyStarted("s", "f", 3, 0, 10))
        assert storage_is_made(tmp_path)


def test_a_reader_takes_only_what_is_new(tmp_path: Path) -> None:
    reader = LogReader(tmp_path)
    assert reader.read_new() == ([], False)
    with EventLog(tmp_path) as log:
        log(Phase("a"))
        assert [row["name"] for row in reader.read_new()[0]] == ["a"]
        assert reader.read_new() == ([], False)
        log(StudyStarted("s", "f", 3, 0, 10))
        with (tmp_path / LOG).open("ab") as stream:
            stream.write(b'{"half')
        rows, again = reader.read_new()
        assert [row["event"] for row in rows] == ["StudyStarted"] and not again
    (tmp_path / LOG).unlink()
    with EventLog(tmp_path) as log:
        log(Phase("of another study"))
    rows, again = reader.read_new()
    assert again
    assert [row["name"] for row in (rows or reader.read_new()[0])] == ["of another study"]
