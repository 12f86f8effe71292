"""The machine's Chromium, driven by Playwright, on the app as it is served."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_CUT_OFF = re.compile(
    r"AbortError: |Unexpected error Connection errored out"
    r"|TypeError: (network error|Failed to fetch)"
    r"|Failed to load resource: net::ERR_(ABORTED|INCOMPLETE_CHUNKED_ENCODING|NETWORK_CHANGED)"
)
"""What Gradio's page and the browser tell when a page is left while it still asks the server."""
PATIENCE = 180_000
"""Milliseconds that a state is waited for: on a busy machine the app is ten times as slow."""
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


_PORTS, _EACH = range(10_240, 32_000), 64
"""Below the ports that Linux gives to connections, and how many of them are a process's own."""
_first = _PORTS.start + os.getpid() * _EACH % len(_PORTS)
_own = itertools.cycle(range(_first, min(_first + _EACH, _PORTS.stop)))


def free_port() -> int:
    """A port of the loopback address that nothing listens on, and that nobody takes meanwhile.

    What the system calls free may be taken by another process, or by a connection, before it is
    listened on; so each process of the tests has a few ports of its own and goes round them.
    """
    for port in itertools.islice(_own, _EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(FLAGS), timeout=PATIENCE
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """What a page did that it should not have done: errors told, and hosts asked."""

    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    leaving: bool = False

    def watch(self, page: Any) -> None:
        """Listen to a page before it goes anywhere."""
        _WATCHED[page] = self
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error" and not (self.leaving and _CUT_OFF.match(message.text)):
            self.complaints.append(f"{message.text} ({message.location})")

    def _request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.outside.append(request.url)


_WATCHED: WeakKeyDictionary[Any, Watched] = WeakKeyDictionary()


def go(page: Any, url: str = "") -> None:
    """Leave what is shown for an address of the app, or for the same page anew.

    Requests that are cut off by it are no faults; whatever else is told is one.
    """
    watched = _WATCHED[page]
    watched.leaving = True
    try:
        page.goto(url) if url else page.reload()
    finally:
        watched.leaving = False
    page.wait_for_selector(".pl-top")


@contextmanager
def opened(browser: Any, url: str, size: dict[str, int] | None = None, **options: Any) -> Any:
    """The app in a window of its own, its header drawn; complaints fail the test at the end."""
    context = browser.new_context(viewport=size or DESK, **options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    watched = Watched()
    watched.watch(page)
    try:
        page.goto(url)
        page.wait_for_selector(".pl-top")
        yield page
    finally:
        context.close()
    assert watched.complaints == [], watched.complaints
    assert watched.outside == [], watched.outside
