"""The workbench as it is served, and the browser that looks at it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from promptlab.errors import InputError, WorkError

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_STARTING, _ENDING = 120, 20
"""Seconds."""


@contextmanager
def served(models: Sequence[str], runs: Path) -> Iterator[str]:
    """``promptlab ui`` in a process of its own, until it answers; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start = "from promptlab.cli import main; main()"
    command = [sys.executable, "-c", start, "ui", "--port", str(port), "--runs", str(runs)]
    for model in models:
        command += ["--model", model]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path.cwd())
    try:
        yield _answering(server, f"http://127.0.0.1:{port}/")
    finally:
        server.terminate()
        server.wait(_ENDING)


def _answering(server: subprocess.Popen[bytes], address: str) -> str:
    """The address, once the server answers there. Raises `WorkError`."""
    until = time.monotonic() + _STARTING
    while time.monotonic() < until:
        if server.poll() is not None:
            raise WorkError(f"the server ended with {server.returncode}")
        try:
            httpx.get(address, timeout=5)
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return address
    raise WorkError(f"the server did not answer within {_STARTING} s")


@contextmanager
def browser(path: str | None) -> Iterator[Any]:
    """Chromium at ``path``, headless. Raises `InputError` without a path."""
    if path is None:
        raise InputError("there is no chromium here; install it or give --chromium PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield started
        finally:
            started.close()
