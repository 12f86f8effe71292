"""The machine's Chromium, driven by Playwright, on the app as it is served."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

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
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """What a page did that it should not have done: errors told, and hosts asked."""

    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        """Listen to a page before it goes anywhere."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location})")

    def _request(self, request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.outside.append(request.url)


@contextmanager
def opened(browser: Any, url: str, size: dict[str, int] | None = None, **options: Any) -> Any:
    """The app in a window of its own, its header drawn; complaints fail the test at the end."""
    context = browser.new_context(viewport=size or DESK, **options)
    context.set_default_timeout(30_000)
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
