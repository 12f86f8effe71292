"""A full disk, wherever it is met: exit 2, what to do, and nothing half-written."""

from __future__ import annotations

import csv
import errno
import os
import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from promptlab.files.entries import EntryFile
from promptlab.models.pool import POOL
from tests.helpers.command_line import (  # noqa: F401
    OWN,
    Command,
    command,
    document,
    here,
    models,
    reviews,
    study,
    templates,
    write,
)


def full(*arguments: Any, **options: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["write_text", "replace", "mkdir"])
def test_a_full_disk_when_a_study_begins(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real = getattr(Path, step)

    def fails(path: Path, *arguments: Any, **options: Any) -> Any:
        return (full if "runs" in path.parts else real)(path, *arguments, **options)

    monkeypatch.setattr(Path, step, fails)
    study().refuses("runs/reviews", "the disk is full", "free", "make room")
    monkeypatch.undo()
    assert not (here / "runs" / "reviews").exists()


def test_a_full_disk_in_the_midst_of_a_study(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    def fails(path: Path, *arguments: Any, **options: Any) -> Any:
        return (full if "predictions" in path.parts else real)(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", fails)
    study(stays=True).refuses("predictions/0.jsonl", "the disk is full", "make room")
    monkeypatch.undo()
    assert not list(here.rglob("*.partial"))
    monkeypatch.chdir(here)
    assert study().code == 0


def test_a_full_disk_under_the_storage(
    study: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from promptlab.study.trials import trials

    def fails(where: str) -> Any:
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr(trials, "open_storage", fails)
    study().refuses("study.db", "database or disk is full", "make room", "continues the study")
    assert not (here / "runs" / "reviews").exists()


class FullConnection:
    """A database on a full disk: it can be read."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def executemany(self, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")


def test_a_full_disk_under_the_features(
    study: Command,
    command: Command,
    models: Path,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = EntryFile._connect

    def connect_on_a_full_disk(file: Any, path: Path) -> None:
        connect(file, path)
        file._connection = FullConnection(file._connection)

    monkeypatch.setattr(EntryFile, "_connect", connect_on_a_full_disk)
    monkeypatch.setattr(POOL, "_models", OrderedDict())
    fresh = {"text": "{text} Never seen before: {mask}", "answers": OWN}
    parts = ("kept features", "database or disk is full", "PROMPTLAB_CACHE")
    study(candidates=templates(fresh)).refuses(*parts)
    assert not (here / "runs" / "reviews").exists()
    other = write(here / "other.jsonl", '{"text": "a text never seen before"}\n')
    command("predict", models / "best", other, "--out", "out.jsonl", "--dtype", "float32").refuses(
        *parts
    )


def test_a_full_disk_under_predictions(
    command: Command, models: Path, reviews: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--device", "cpu", "--dtype", "float32")
    parts = ("cannot be written", "No space left", "Make room")
    with monkeypatch.context() as patched:
        patched.setattr(csv, "writer", lambda stream: full())
        command("predict", models / "best", reviews, "--out", "out.csv", *options).refuses(
            "out.csv", *parts
        )
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        command("predict", models / "best", reviews, "--out", "out.jsonl", *options).refuses(
            "out.jsonl", *parts
        )
    assert not [path for path in here.iterdir() if "out" in path.name]
