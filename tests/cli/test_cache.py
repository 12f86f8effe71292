"""``promptlab cache``: nothing but what promptlab keeps is listed or removed."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import Command, command, here, models  # noqa: F401


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kept"
    monkeypatch.setenv("PROMPTLAB_CACHE", str(folder))
    for name, size in (("models/a/weights", 2000), ("replies/x.db", 30), ("mine.txt", 5)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return folder


def test_parts_with_their_sizes(kept: Path, command: Command) -> None:
    found = json.loads(command("cache", "list", "--json").out)
    assert found["folder"] == str(kept)
    assert [(p["name"], p["size"], p["files"]) for p in found["parts"]] == [
        ("models", 2000, 1),
        ("replies", 30, 1),
    ]
    told = command("cache", "list")
    assert "asked and paid again" in told.out
    assert "2.03 kB in" in told.err


def test_clearing_leaves_what_is_not_named(kept: Path, command: Command) -> None:
    done = command("cache", "clear", "models", "--yes", "--json")
    assert json.loads(done.out)["bytes"] == 2000
    assert sorted(path.name for path in kept.iterdir()) == ["mine.txt", "replies"]
    assert "nothing is kept" in command("cache", "clear", "models", "--yes").out
    command("cache", "clear", "--all", "--yes")
    assert [path.name for path in kept.iterdir()] == ["mine.txt"]


def test_a_question_first(kept: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    command("cache", "clear", "replies").refuses("30 bytes: replies", "--yes")
    assert (kept / "replies").exists()


@pytest.mark.parametrize("names", [(), ("mine.txt",), ("../kept",), ("models", "--all")])
def test_what_cannot_be_cleared(names: tuple[str, ...], kept: Path, command: Command) -> None:
    command("cache", "clear", *names, "--yes").refuses("models, data")
    assert (kept / "mine.txt").exists()
