"""What is written appears whole and stays; what is built is checked; where the cache is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from promptlab.batch.output import Format, RowWriter
from promptlab.errors import AssetError, DiskError
from promptlab.files.atomic import remove_leftovers
from promptlab.files.build_once import build_once
from promptlab.files.cache import atomic_write, cache_dir, disk_errors
from tests.helpers.forbidden_folders import read_only


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_disk_keeps_the_content_before_the_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(opened: int) -> None:
        told.append(Path(f"/proc/self/fd/{opened}").readlink().name)
        sync(opened)

    def noted_replace(path: Path, target: Path) -> Path:
        told.append(f"{path.name} -> {target.name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with atomic_write(tmp_path / "new" / "file") as partial:
        partial.write_text("text")
    assert told == [tmp_path.name, "part", "part -> file", "new"]
    told.clear()
    with atomic_write(tmp_path / "folder") as partial:
        (partial / "in").mkdir(parents=True)
        (partial / "in" / "deep").write_text("text")
    assert told == ["deep", "in", "part", "part -> folder", tmp_path.name]
    told.clear()
    build_once(tmp_path / "built", lambda partial: partial.mkdir(), purpose="Building")
    assert told == ["checksums.sha256", ".built.partial", ".built.partial -> built", tmp_path.name]
    told.clear()
    with RowWriter(tmp_path / "rows.jsonl", Format.jsonl) as file:
        file.write([{"text": "a"}])
        file.commit()
    assert [name.split(".")[-1] for name in told] == ["partial", "jsonl", tmp_path.name]


def test_a_folder_that_cannot_be_synced_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_folders(opened: int) -> None:
        if Path(f"/proc/self/fd/{opened}").readlink().is_dir():
            raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", no_folders)
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("text")
    assert names(tmp_path) == ["file"]


WRITER = """
import sys, time
from pathlib import Path
from promptlab.files.cache import atomic_write
with atomic_write(Path(sys.argv[1])) as partial:
    partial.write_text(sys.argv[2])
    print("writing", flush=True)
    sys.stdin.readline()
"""


def writer(path: Path, text: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), text]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_what_a_killed_process_left_is_cleared_and_what_another_writes_is_not(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    killed, other = writer(path, "killed"), writer(path, "other")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(list(tmp_path.glob(".partial/*"))) == 2
    with atomic_write(path) as partial:
        partial.write_text("own")
        assert len(list(tmp_path.glob(".partial/*"))) == 2
    assert path.read_text() == "own"
    other.communicate("\n")
    assert other.returncode == 0
    assert path.read_text() == "other"
    assert names(tmp_path) == ["file"]
    for process in (killed, other):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        process.stdout.close()


def test_threads_write_the_same_path(tmp_path: Path) -> None:
    path = tmp_path / "file"
    failed: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for _ in range(50):
                with atomic_write(path, synced=False) as partial:
                    partial.write_text(text * 1000)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert path.read_text() in [letter * 1000 for letter in "abcdef"]
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda p: p.symlink_to("nowhere")])
def test_something_else_in_the_place_of_partial_files(tmp_path: Path, make: object) -> None:
    make(tmp_path / ".partial")  # type: ignore[operator]
    with atomic_write(tmp_path / "file") as partial:
        partial.write_text("text")
    assert names(tmp_path) == ["file"]


def test_a_name_may_be_long_and_not_too_long(tmp_path: Path) -> None:
    with atomic_write(tmp_path / ("x" * 255)) as partial:
        partial.write_text("text")
    wanted = pytest.raises(DiskError, match="File name too long")
    with wanted, atomic_write(tmp_path / ("x" * 256)) as partial:
        partial.write_text("text")
    assert names(tmp_path) == ["x" * 255]


def test_a_folder_under_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wanted = r"file.* cannot be used \(.*move away"
    with pytest.raises(DiskError, match=wanted), atomic_write(tmp_path / "file" / "x") as partial:
        partial.touch()


def build(partial: Path) -> None:
    (partial / "in").mkdir(parents=True)
    (partial / "a.json").write_text("content of a")
    (partial / "in" / "b.json").write_text("content of b")


def flip(folder: Path) -> None:
    (folder / "in" / "b.json").write_text("content of c")


def cut(folder: Path) -> None:
    (folder / "a.json").write_text("")


def lose(folder: Path) -> None:
    (folder / "a.json").unlink()


def add(folder: Path) -> None:
    (folder / "c.json").touch()


def fifo(folder: Path) -> None:
    (folder / "a.json").unlink()
    os.mkfifo(folder / "a.json")


def loop(folder: Path) -> None:
    (folder / "a.json").unlink()
    (folder / "a.json").symlink_to("a.json")


def garbage(folder: Path) -> None:
    (folder / "checksums.sha256").write_bytes(b"\xff\x00garbage")


def no_list(folder: Path) -> None:
    (folder / "checksums.sha256").unlink()


def empty_list(folder: Path) -> None:
    (folder / "checksums.sha256").write_text("")


def list_is_a_folder(folder: Path) -> None:
    (folder / "checksums.sha256").unlink()
    (folder / "checksums.sha256").mkdir()


DAMAGES = (
    flip, cut, lose, add, fifo, loop, garbage, no_list, empty_list, list_is_a_folder,
)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_told_and_built_anew(
    tmp_path: Path, damage: object, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_once(tmp_path / "thing", build, purpose="Building")
    whole = names(folder)
    built: list[Path] = []
    for _ in range(2):
        build_once(folder, built.append, purpose="Building")
    assert not built
    damage(folder)  # type: ignore[operator]
    build_once(folder, build, purpose="Building")
    assert names(folder) == whole
    assert (folder / "in" / "b.json").read_text() == "content of b"
    assert f"{folder} is made anew: " in capsys.readouterr().err
    build_once(folder, built.append, purpose="Building")
    assert not built


def test_a_damaged_folder_that_cannot_be_built_anew_is_not_used(tmp_path: Path) -> None:
    def offline(partial: Path) -> None:
        raise AssetError("no network")

    folder = build_once(tmp_path / "thing", build, purpose="Building")
    flip(folder)
    wanted = r"thing is damaged \(b.json has not the content .*cannot be made anew: no network"
    with pytest.raises(AssetError, match=wanted):
        build_once(folder, offline, purpose="Building")
    with (
        read_only(tmp_path),
        pytest.raises(DiskError, match=r"thing is damaged .*cannot be made anew"),
    ):
        build_once(folder, build, purpose="Building")


def test_an_old_folder_that_cannot_be_built_anew_is_used_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(partial: Path) -> None:
        raise AssetError("no network")

    folder = build_once(tmp_path / "thing", build, purpose="Building")
    no_list(folder)
    assert build_once(folder, offline, purpose="Building") == folder
    assert "thing cannot be checked, and is used as it is" in capsys.readouterr().err


def test_what_is_whole_is_used_where_nothing_may_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_once(tmp_path / "thing", build, purpose="Building")
    with read_only(tmp_path):
        assert build_once(folder, build, purpose="Building") == folder
        with pytest.raises(DiskError, match="cannot be written"):
            build_once(tmp_path / "other", build, purpose="Building")


def test_a_home_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def nobody(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for chosen in ("~/cache", ""):
        monkeypatch.setenv("PROMPTLAB_CACHE", chosen)
        with pytest.raises(DiskError, match=r"no home folder is known .* set PROMPTLAB_CACHE"):
            cache_dir()
        with atomic_write(tmp_path / "file") as partial:  # what is not in the cache needs none
            partial.touch()


def test_errors_that_are_not_the_disk_s_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path, "Reading"):
        (tmp_path / "missing").read_text()


def test_what_killed_processes_left_is_cleared_and_nothing_that_is_being_written(
    tmp_path: Path,
) -> None:
    for folder in (tmp_path, tmp_path / "a" / "b"):
        (folder / ".partial" / "0123456789ab").mkdir(parents=True)
        (folder / ".partial" / "0123456789ab" / "part").write_text("half")
    with atomic_write(tmp_path / "a" / "file") as partial:
        partial.write_text("text")
        remove_leftovers(tmp_path)
        assert partial.read_text() == "text"
        assert not (tmp_path / ".partial").exists()
    assert names(tmp_path) == ["a", "a/b", "a/file"]
