"""Files of entries: what was kept comes back or nothing does, whatever happens to the file."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptlab.errors import DiskError
from promptlab.files.entries import EntryFile, entry_file, tables
from tests.helpers.damaged_files import flip_bits
from tests.helpers.forbidden_folders import read_only, unreadable

KEYS = [number.to_bytes(16, "little") for number in range(300)]
KINDS = ("slots", "tails")


def value(kind: str, key: bytes) -> bytes:
    return random.Random(kind.encode() + key).randbytes(200 if kind == "slots" else 8)


CONTENT = {kind: [(key, value(kind, key)) for key in KEYS] for kind in KINDS}


def opened(path: Path | None) -> EntryFile:
    return EntryFile(path, KINDS, what="kept features", remade="computed anew")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A complete file, closed."""
    made = tmp_path / "kept" / "model.db"
    file = opened(made)
    file.keep(CONTENT)
    file.close()
    return made


def check(file: EntryFile) -> int:
    """All that is found is what was kept, also after it is kept again; how much was found."""
    counts = []
    for _ in range(2):
        found = {kind: file.find(kind, KEYS) for kind in KINDS}
        for kind in KINDS:
            assert found[kind].items() <= dict(CONTENT[kind]).items()
        counts.append(sum(map(len, found.values())))
        file.keep(CONTENT)
    # what is damaged and was not met yet may hide single entries: they are missed, no more
    assert counts[1] > 0.9 * 2 * len(KEYS)
    return counts[0]


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_change_nothing(path: Path, seed: int) -> None:
    flip_bits(path, random.Random(seed), 40)
    file = opened(path)
    check(file)
    file.close()
    assert check(opened(path)) > 0.9 * 2 * len(KEYS)


@pytest.mark.parametrize("seed", range(10))
def test_flipped_bits_beside_the_file_change_nothing(path: Path, tmp_path: Path, seed: int) -> None:
    """The newest entries lie in a log beside it until the last process ends."""
    writer = opened(path)
    writer.keep({"slots": [(key, value("slots", key)) for key in KEYS[::-1]]})
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{path}{suffix}", tmp_path / f"model.db{suffix}")
    writer.close()
    rng = random.Random(seed)
    flip_bits(tmp_path / "model.db-wal", rng, 40)
    flip_bits(tmp_path / "model.db-shm", rng, 5)
    check(opened(tmp_path / "model.db"))


def test_damaged_entries_are_dropped_and_counted(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(path) as connection:
        for key in KEYS[:3]:
            connection.execute("UPDATE checked_slots SET value = ? WHERE key = ?", (b"x" * 9, key))
        connection.execute("UPDATE checked_tails SET value = 3.5 WHERE key = ?", (KEYS[7],))
        connection.execute("UPDATE checked_tails SET value = NULL WHERE key = ?", (KEYS[8],))
    connection.close()
    file = opened(path)
    assert len(file.find("slots", KEYS)) == len(KEYS) - 3
    assert len(file.find("tails", KEYS)) == len(KEYS) - 2
    told = capsys.readouterr().err
    assert f"5 of 600 kept features in {path} were damaged" in told
    assert told.count("\n") == 1
    assert check(file) == 2 * len(KEYS) - 5


def test_the_value_of_another_key_kind_or_file_is_none(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        one, other = (
            connection.execute("SELECT value FROM checked_slots WHERE key = ?", (key,)).fetchone()
            for key in KEYS[:2]
        )
        statement = "INSERT OR REPLACE INTO {} VALUES (?, ?)"
        connection.execute(statement.format("checked_slots"), (KEYS[0], other[0]))
        connection.execute(statement.format("checked_tails"), (KEYS[5], one[0]))
    connection.close()
    file = opened(path)
    assert KEYS[0] not in file.find("slots", KEYS[:2])
    assert KEYS[5] not in file.find("tails", KEYS)
    file.close()
    renamed = path.replace(path.with_name("another.db"))
    assert opened(renamed).find("slots", KEYS) == {}


def test_it_may_be_moved(path: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(path.parent, tmp_path / "elsewhere")
    assert check(opened(moved / path.name)) == 2 * len(KEYS)


@pytest.mark.parametrize("seed", range(8))
def test_damage_while_it_is_open(path: Path, seed: int) -> None:
    file = opened(path)
    file.find("slots", KEYS[:2])
    content = bytearray(path.read_bytes())
    rng = random.Random(seed)
    for _ in range(400):
        content[rng.randrange(100, len(content))] ^= 255
    with path.open("r+b") as stream:  # in place, as a disk does it
        stream.write(content)
    check(file)
    file.close()


def test_a_file_that_was_cut_while_it_is_open(path: Path) -> None:
    file = opened(path)
    file.find("slots", KEYS[:2])
    os.truncate(path, 8192)
    check(file)


def test_what_is_whole_of_a_damaged_file_is_kept(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replies were paid for: one bad page costs no more than what stood on it."""
    content = bytearray(path.read_bytes())
    page = 4096 * (len(content) // 8192)
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)
    assert check(opened(path)) > 1.8 * len(KEYS)
    told = capsys.readouterr().err
    assert f"{path} is begun anew (database disk image is malformed)" in told
    assert "of its kept features are whole and kept; what is missing is computed anew" in told


def test_the_number_of_damaged_entries_is_told_only_where_all_can_be_read(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(path.read_bytes())
    page = 4096 * (len(content) // 16384)
    content[page : page + 4096] = bytes(4096)
    path.write_bytes(content)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE checked_slots SET value = x'00' WHERE key = ?", (KEYS[-1],))
    connection.close()
    file = opened(path)
    assert KEYS[-1] not in file.find("slots", KEYS[-1:])
    assert len(file.find("slots", KEYS)) > 200
    told = capsys.readouterr().err
    assert "of its kept features are whole and kept; what is missing is computed anew" in told


def folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("x")


def loop(path: Path) -> None:
    path.symlink_to(path)


PLACED = {
    "folder": folder,
    "fifo": os.mkfifo,
    "loop": loop,
    "empty": Path.touch,
    "text": lambda path: path.write_text("no database"),
    "link to nothing": lambda path: path.symlink_to("nowhere/at/all"),
}


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("placed", PLACED)
def test_something_else_in_its_place(path: Path, placed: str, suffix: str) -> None:
    place = path.with_name(path.name + suffix)
    place.unlink(missing_ok=True)
    PLACED[placed](place)
    file = opened(path)
    check(file)
    file.close()
    assert check(opened(path)) == 2 * len(KEYS)


def test_a_foreign_database_is_begun_anew(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER t AFTER INSERT ON checked_slots BEGIN DELETE FROM checked_tails; END"
        )
    connection.close()
    assert check(opened(path)) == 2 * len(KEYS)


def test_earlier_entries_are_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE old (key BLOB PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO old VALUES (?, 'a reply')", (KEYS[0],))
    connection.close()
    earlier = {"old": lambda connection: connection.execute("SELECT key, value FROM old")}
    for _ in range(2):
        file = EntryFile(
            path, ("a", "b"), what="kept replies", remade="asked anew", earlier=earlier
        )
        assert file.find("a", KEYS) == {KEYS[0]: b"a reply"}
        file.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "version without checksums): 1 of its kept replies are taken over, unchecked" in told


def test_an_earlier_version_may_use_the_same_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE slots (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
    connection.close()
    file = EntryFile(path, KINDS, what="", remade="", earlier={"slots": lambda _: ()})
    assert check(file) == 2 * len(KEYS)


def test_where_nothing_may_be_written_it_is_read(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = path.read_bytes()
    with read_only(path.parent):
        file = opened(path)
        for kind in KINDS:
            assert file.find(kind, KEYS) == dict(CONTENT[kind])
        assert capsys.readouterr().err == ""  # nothing is missing
        for number in range(3):
            file.keep({"slots": [(bytes([number]), b"new")]})
        assert file.find("slots", [bytes([1]), KEYS[0]]) == {
            bytes([1]): b"new",
            KEYS[0]: value("slots", KEYS[0]),
        }
        file.close()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{path} cannot be written" in told
    assert "in memory alone; set PROMPTLAB_CACHE to a folder of your own" in told
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir() if each.suffix != ".lock"] == ["model.db"]


@pytest.mark.parametrize("seed", range(6))
def test_damage_where_nothing_may_be_written(path: Path, seed: int) -> None:
    flip_bits(path, random.Random(seed), 40)
    with read_only(path.parent):
        check(opened(path))


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_may_not_be_read(path: Path, which: str, capsys: pytest.CaptureFixture[str]) -> None:
    with unreadable(path if which == "file" else path.parent):
        file = opened(path)
        assert check(file) == 0
        file.close()
    assert f"{path} cannot be written" in capsys.readouterr().err
    assert check(opened(path)) == 2 * len(KEYS)


def test_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").write_text("a file")
    assert check(opened(tmp_path / "kept" / "model.db")) == 0
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_that_another_process_writes_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tables, "_SECONDS", 0.05)
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    file = opened(path)
    assert check(file) == 2 * len(KEYS)
    other.rollback()
    other.close()
    assert "cannot be written (database is locked)" in capsys.readouterr().err


def test_a_lock_that_is_never_given_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptlab.files.cache import file_lock

    monkeypatch.setattr(entry_file, "_PATIENCE", 0.05)
    with file_lock(path):
        assert check(opened(path)) == 2 * len(KEYS)


def test_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    file = opened(path)
    monkeypatch.setattr(tables.Tables, "write", full)
    with pytest.raises(DiskError, match=r"kept features .*model\.db: .* is full; make room"):
        file.keep({"slots": [(b"k", b"v")]})


def test_a_closed_file_is_no_damage(path: Path) -> None:
    file = opened(path)
    file.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        file.find("slots", KEYS)
    assert check(opened(path)) == 2 * len(KEYS)


SCRIPT = """
import sys
from pathlib import Path
from tests.files.test_entries import KEYS, check, opened
file = opened(Path(sys.argv[1]))
print(len(file.find("slots", KEYS[:1])), flush=True)
for line in sys.stdin:
    print(check(file), flush=True)
file.close()
"""


def test_another_process_begins_the_file_anew_meanwhile(path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "1\n"
        with path.open("r+b") as stream:
            stream.seek(4096)
            stream.write(b"\xff" * (path.stat().st_size - 4096))
        file = opened(path)
        check(file)
        for _ in range(2):
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline().strip().isdigit()
            assert check(file) == 2 * len(KEYS)
        other.stdin.close()
    file.close()
    assert check(opened(path)) == 2 * len(KEYS)
