"""Content hashes of model folders: same content, same key; any change, another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from promptlab.models import weights
from promptlab.models.weights import weights_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("words")
    return made


def test_any_file_that_matters_changes_the_key(folder: Path) -> None:
    keys = {weights_key(str(folder))}
    for name, content in (
        ("model.safetensors", b"weights!"),
        ("config.json", b"[]"),
        ("tokenizer.json", b"{}"),
        ("vocab.txt", b"a"),
        ("spiece.model", b"b"),
        ("chat_template.jinja", b"c"),
    ):
        (folder / name).write_bytes(content)
        keys.add(weights_key(str(folder)))
    assert len(keys) == 7


def test_content_counts_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    key = weights_key(str(folder))
    (folder / "README.md").write_text("other words")
    os.utime(folder / "model.safetensors", (1, 1))
    assert weights_key(str(folder)) == key
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert weights_key(str(copy)) == key


def test_a_file_of_the_same_size_is_read_again(folder: Path) -> None:
    key = weights_key(str(folder))
    (folder / "model.safetensors").write_bytes(b"Weights")
    os.utime(folder / "model.safetensors", (2, 2))
    assert weights_key(str(folder)) != key


def test_weights_are_not_read_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = weights_key(str(folder))

    def no_reading(*args: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(weights.hashlib, "file_digest", no_reading)
    assert weights_key(str(folder)) == key


def test_hub_ids_go_by_revision() -> None:
    keys = {weights_key("a/b"), weights_key("a/b", "v1"), weights_key("a/c"), weights_key("a/b")}
    assert len(keys) == 3
