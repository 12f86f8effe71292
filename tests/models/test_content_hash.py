"""Content hashes of model folders: same content, same key; any change, another one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from promptlab.files import file_hash
from promptlab.models.content_hash import folder_state, weights_key


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
        ("source.spm", b"d"),
        ("target.spm", b"e"),
        ("bpe.codes", b"f"),
    ):
        (folder / name).write_bytes(content)
        keys.add(weights_key(str(folder)))
    assert len(keys) == 10


def test_an_adapter_rests_on_the_model_that_it_is_for(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"adapter")
    config = {"base_model_name_or_path": str(folder)}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    key, state = weights_key(str(adapter)), folder_state(str(adapter))
    (folder / "model.safetensors").write_bytes(b"Weights")
    assert weights_key(str(adapter)) != key
    assert folder_state(str(adapter)) != state


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"base_model_name_or_path": 3}', "[" * 9999])
def test_a_damaged_adapter_has_a_key_all_the_same(folder: Path, content: str) -> None:
    (folder / "adapter_config.json").write_text(content)
    assert len(weights_key(str(folder))) == 64


def test_an_adapter_for_itself_ends(folder: Path) -> None:
    config = {"base_model_name_or_path": str(folder.parent / "." / folder.name)}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert len(weights_key(str(folder))) == 64


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


def test_a_file_of_the_same_size_and_time_is_read_again(folder: Path) -> None:
    """Copied with its times, or written within a tick of the clock: times are no identity."""
    path = folder / "model.safetensors"
    keys = set()
    for content in (b"weights", b"Weights", b"WEIGHTS"):
        path.write_bytes(content)
        os.utime(path, (5, 5))
        keys.add(weights_key(str(folder)))
        assert weights_key(str(folder)) in keys
    assert len(keys) == 3


def test_a_fresh_file_s_hash_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its times could be those of a later change, too."""
    monkeypatch.setattr(file_hash, "file_state", lambda path: "the same state")
    path = folder / "config.json"
    first = file_hash.file_hash(path)
    path.write_text("[]")
    assert file_hash.file_hash(path) != first


def test_other_chat_templates_and_adapters_count(folder: Path) -> None:
    keys = {weights_key(str(folder))}
    (folder / "additional_chat_templates").mkdir()
    for name in ("adapter_model.safetensors", "additional_chat_templates/tools.jinja"):
        (folder / name).write_text("a")
        keys.add(weights_key(str(folder)))
    assert len(keys) == 3


def test_the_state_of_a_folder_changes_with_its_files(folder: Path) -> None:
    before = folder_state(str(folder))
    assert before and folder_state(str(folder)) == before
    (folder / "model.safetensors").write_bytes(b"Weights")
    assert folder_state(str(folder)) != before
    assert folder_state("smollm2-135m") == folder_state("a/b") == ""


def test_weights_are_not_read_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_hash, "SETTLED", -60.0)
    key = weights_key(str(folder))

    def no_reading(*args: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(file_hash.hashlib, "file_digest", no_reading)
    assert weights_key(str(folder)) == key


def test_hub_ids_go_by_revision() -> None:
    keys = {weights_key("a/b"), weights_key("a/b", "v1"), weights_key("a/c"), weights_key("a/b")}
    assert len(keys) == 3


def test_a_hub_s_branch_that_moved_is_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that was fetched counts: the same id and branch, other content."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    keys = set()
    for commit in ("a" * 40, "b" * 40):
        fetched = tmp_path / "models--team--model" / "snapshots" / commit
        fetched.mkdir(parents=True)
        (fetched / "config.json").write_text(commit)
        branch = tmp_path / "models--team--model" / "refs" / "main"
        branch.parent.mkdir(exist_ok=True)
        branch.write_text(commit)
        keys.add(weights_key("team/model"))
        keys.add(weights_key("team/model", "main"))
    assert len(keys) == 2
