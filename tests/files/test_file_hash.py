"""A remembered hash is the file's, or it is computed anew."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab.files import file_hash as module
from promptlab.files.file_hash import file_hash
from tests.helpers.forbidden_folders import read_only, unreadable

CONTENT = b"weights"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PROMPTLAB_CACHE", str(folder))
    monkeypatch.setattr(module, "SETTLED", -60.0)
    monkeypatch.setattr(module, "_in_memory", {})
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(CONTENT)
    return path


def kept(cache: Path) -> Path:
    found: Path = next((cache / "hashes").glob("*.txt"))
    return found


def text(content: str | bytes) -> Callable[[Path], object]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(raw)


def instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def done(path: Path) -> None:
        path.unlink()
        make(path)

    return done


OTHER = hashlib.sha256(b"other").hexdigest()
DAMAGES = {
    "empty": text(""),
    "short": text("abc"),
    "not hexadecimal": text("z" * 64),
    "another hash": text(OTHER),
    "another hash, its own check": text(f"{OTHER} {'0' * 16}\n"),
    "bytes": text(b"\xff\x00\x80"),
    "JSON": text("null"),
    "long": text("a" * 10**6),
    "folder": instead(Path.mkdir),
    "pipe": instead(os.mkfifo),
    "loop": instead(lambda path: path.symlink_to(path)),
    "link to nothing": instead(lambda path: path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_hash_is_computed_anew_and_told(
    cache: Path, file: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = hashlib.sha256(CONTENT).digest()
    assert file_hash(file) == wanted
    place = kept(cache)
    DAMAGES[damage](place)
    assert file_hash(file) == wanted
    assert f"the kept hash {place} is damaged: {file} is read again" in capsys.readouterr().err
    assert file_hash(file) == wanted
    assert capsys.readouterr().err == ""


def test_the_hash_of_another_file_is_none(cache: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    file_hash(other)
    place = kept(cache)
    file_hash(file)
    own = next(path for path in (cache / "hashes").glob("*.txt") if path != place)
    own.write_bytes(place.read_bytes())
    assert file_hash(file) == hashlib.sha256(CONTENT).digest()


def test_what_an_earlier_version_kept_is_not_believed(cache: Path, file: Path) -> None:
    (cache / "hashes").mkdir(parents=True)
    (cache / "hashes" / module.file_state(file)).write_text("")
    assert file_hash(file) == hashlib.sha256(CONTENT).digest()


def test_hashes_that_cannot_be_kept_are_told_once(
    cache: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    other = file.with_name("other")
    other.write_bytes(b"other")
    with read_only(cache):
        for _ in range(2):
            assert file_hash(file) == hashlib.sha256(CONTENT).digest()
            assert file_hash(other).hex() == OTHER
    told = capsys.readouterr().err
    assert told.count("hashes of files are not kept") == 1
    assert told.count("\n") == 1


def test_where_nothing_may_be_written_kept_hashes_are_used(
    cache: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = file_hash(file)
    monkeypatch.setattr(module.hashlib, "file_digest", None)
    with read_only(cache):
        assert file_hash(file) == found
    assert capsys.readouterr().err == ""


def test_hashes_that_may_not_be_read(cache: Path, file: Path) -> None:
    found = file_hash(file)
    with unreadable(cache / "hashes"):
        assert file_hash(file) == found
