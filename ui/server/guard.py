"""What stands before the app: whose requests are answered, how large they may be, and headers."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .fault_log import log_once

MB = 1_000_000
SMALL_BODY = 2 * MB
"""Bytes of a request that brings no file."""
_FORM = 20_000
"""Bytes of a form around the file in it."""
_PATIENCE = 20.0
"""Seconds in which a refused request may finish."""
_WRONG_LOGINS, _PER_SECONDS = 10, 60.0
_OPEN = ("/assets/", "/static/", "/svelte/")
_OPEN_EXACTLY = frozenset(
    {"/", "/login", "/theme.css", "/gradio_api/theme.css", "/favicon.ico", "/manifest.json",
     "/gradio_api/startup-events"}
)  # fmt: skip
"""What the login page is made of."""
_FETCHING = ("/gradio_api/proxy=", "/gradio_api/file=http:", "/gradio_api/file=https:",
             "/gradio_api/file/http:", "/gradio_api/file/https:")  # fmt: skip
"""Routes by which the server would ask another host."""

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; "
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; script-src-attr 'none'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "media-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "frame-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Sent with every answer: no script, picture or font from elsewhere, and no frame around the page.

Gradio's page starts with scripts of its own in the text; attributes such as ``onerror``, by which
shown data could run, are off.
"""


@dataclass
class AccessRules:
    """``hosts`` are the names, beside addresses, by which the app may be called.

    A name that is not among them is refused: a foreign site could make its own name point here and
    so read the answers. ``proxied`` are those of them under which a proxy shows the app.
    ``largest`` is the largest upload in bytes, ``login`` whether a cookie of the login page is
    needed.
    """

    hosts: frozenset[str]
    largest: int
    login: bool = False
    proxied: frozenset[str] = frozenset()
    wrong: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))


def rules_for(
    host: str, *, largest: int, login: bool = False, proxied: Iterable[str] = ()
) -> AccessRules:
    """Rules of a server that listens on ``host``, and is shown under ``proxied`` names, too."""
    further = frozenset(name.lower() for name in proxied)
    names = {"localhost", host.lower(), *further}
    if not _is_loopback(host):
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local"}
    return AccessRules(frozenset(names), largest, login, further)


class Guard:
    """An ASGI application around another one; every refusal is a short JSON answer."""

    def __init__(self, app: Any, rules: AccessRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        client = (scope.get("client") or ("",))[0]
        signing_in = scope["path"].rstrip("/") == "/login" and scope.get("method") == "POST"
        refusal = self._refusal(scope, headers)
        if refusal is None and signing_in and not self._may_sign_in(client):
            refusal = (429, "too many wrong passwords; wait a minute and try again")
        if refusal is not None or scope["type"] != "http":
            await _refuse(scope, receive, send, *(refusal or (403, "no web sockets here")))
            return
        sending = _Sending(send, lambda: self._signed_in(client) if signing_in else None)
        limit = self._limit(scope["path"])
        receiving = _Receiving(receive, limit)
        try:
            await self.app(scope, receiving.receive, sending.send)
        except _TooLarge:
            if not sending.started:
                await _refuse(scope, receive, send, 413, _too_large(limit))
        except Exception as problem:  # of a request that Gradio's routes cannot take
            log_once(problem)
            if sending.started:
                await send({"type": "http.response.body", "body": b""})
            else:
                await _refuse(scope, receiving.rest, send, 400, "this request cannot be read")

    def _refusal(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and reason, if the request is not to be answered."""
        path = scope["path"]
        host = _host_name(headers.get("host", ""))
        if not self._is_own(host):
            return 421, f"this is not {host or 'that host'} (see promptlab ui --allow-host)"
        if _is_foreign(headers, scope.get("method", "GET")) and not self._is_trusted(headers):
            return 403, "requests of other sites are not answered"
        if self.rules.login and not _is_open(path) and not _has_cookie(scope, headers):
            return 401, "log in first"
        if path.lower().startswith(_FETCHING):
            return 403, "other hosts are not asked"
        limit = self._limit(path)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            return 413, _too_large(limit)
        if not length and _is_upload(path) and scope.get("method") == "POST":
            return 411, "say how long the upload is"  # one that breaks off leaves a file behind
        return None

    def _is_own(self, host: str) -> bool:
        return host in self.rules.hosts or _is_address(host)

    def _is_trusted(self, headers: dict[str, str]) -> bool:
        """Whether the origin is the name of the proxy that passed this on."""
        origin = _host_name(urlsplit(headers.get("origin", "")).netloc)
        site = headers.get("sec-fetch-site", "same-origin")
        return origin in self.rules.proxied and site == "same-origin"

    def _limit(self, path: str) -> int:
        return self.rules.largest + _FORM if _is_upload(path) else SMALL_BODY

    def _may_sign_in(self, client: str) -> bool:
        """Count an attempt; false when too many have failed lately."""
        known, now = self.rules.wrong[client], time.monotonic()
        while known and now - known[0] > _PER_SECONDS:
            known.popleft()
        if len(known) >= _WRONG_LOGINS:
            return False
        known.append(now)
        return True

    def _signed_in(self, client: str) -> None:
        """Forget the attempts of one who knows the password."""
        self.rules.wrong.pop(client, None)


class _TooLarge(Exception):
    """More bytes came than were announced or are taken."""


class _Receiving:
    """Counts the bytes of a request."""

    def __init__(self, receive: Any, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._ended = False

    async def receive(self) -> Any:
        message = await self._receive()
        self._ended = not message.get("more_body")
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLarge
        return message

    async def rest(self) -> Any:
        """What has not been received yet; after the end there is nothing to wait for."""
        return {"type": "http.disconnect"} if self._ended else await self._receive()


class _Sending:
    """Adds the headers to an answer, and tells of one that is no error."""

    def __init__(self, send: Any, succeeded: Any) -> None:
        self._send = send
        self._succeeded = succeeded
        self.started = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if message["status"] < 400:
                self._succeeded()
            known = {name.lower() for name, _ in message.get("headers", ())}
            own = [(n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in known]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await self._send(message)


async def _refuse(scope: Any, receive: Any, send: Any, status: int, reason: str) -> None:
    """Answer with an error; a client hears it only once it has sent what it wanted to send."""
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1008})
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(_swallow(receive), _PATIENCE)
    body = json.dumps({"detail": reason}).encode()
    headers = {"content-type": "application/json", "connection": "close"} | HEADERS
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def _swallow(receive: Any) -> None:
    """Read a request's body to its end, or the first 100 MB of it, and keep nothing."""
    left = 100 * MB
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))


def _too_large(limit: int) -> str:
    return f"too large: at most {limit / MB:.3g} MB are taken (see promptlab ui --max-upload)"


def _is_foreign(headers: dict[str, str], method: str) -> bool:
    """Whether another site's page sends this; following a link to the app is not that."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
        return True
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    followed = headers.get("sec-fetch-mode") == "navigate"
    return not (followed and method in ("GET", "HEAD") and _is_page(headers))


def _is_upload(path: str) -> bool:
    return path.rstrip("/").endswith("/upload")


def _is_page(headers: dict[str, str]) -> bool:
    return headers.get("sec-fetch-dest") == "document"


def _is_open(path: str) -> bool:
    return path in _OPEN_EXACTLY or path == "/login/" or path.startswith(_OPEN)


def _has_cookie(scope: Any, headers: dict[str, str]) -> bool:
    """Whether the request bears a token that Gradio gave at the login."""
    from http.cookies import CookieError, SimpleCookie

    served = scope["app"]
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return False
    names = (f"access-token-{served.cookie_id}", f"access-token-unsecure-{served.cookie_id}")
    return any(name in cookies and cookies[name].value in served.tokens for name in names)


def _host_name(host: str) -> str:
    """The name in a Host header, without the port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
