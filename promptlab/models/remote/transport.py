"""One request over HTTP, and what its failure means."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import math
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from promptlab.errors import EndpointError
from promptlab.models.remote.address import Address, find_key, key_variable
from promptlab.models.remote.calls import Calls, event_loop
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.reply import (
    BrokenReplyError,
    Reply,
    ReplyStream,
    code_of,
    message_of,
    read_reply,
)

RETRIED = frozenset({408, 409, 425, 429})
"""Statuses that may pass, beside all from 500 on."""
_ASKED_SECONDS = 10.0
"""How long the endpoint is asked about itself."""
_Sent = httpx.Response | str | None
"""Of a stream: the head, its lines one after the other, and at the end nothing."""


class PassingError(Exception):
    """A failure that may pass: ``wait`` seconds were asked for, ``silent``: nothing answered."""

    def __init__(self, message: str, *, wait: float | None = None, silent: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.silent = silent


class RefusedError(Exception):
    """The endpoint refuses this one request, and would again."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Transport:
    """Sends requests to one endpoint; used by several threads.

    The key is read from the environment for every request and kept nowhere; what the endpoint
    says is passed on without it.
    """

    def __init__(self, address: Address, options: RemoteOptions) -> None:
        self.address = address
        self.options = options
        self._lock = threading.Lock()
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def send(
        self,
        path: str,
        body: Mapping[str, Any],
        grown: Callable[[str], None] | None = None,
        calls: Calls | None = None,
    ) -> Reply:
        """One reply; of one that is streamed ``grown`` is told the text so far.

        Raises `PassingError`, `RefusedError`, or `EndpointError` when no request can succeed, and
        `CancelledError` when ``calls`` are broken off.
        """
        calls = calls or Calls()
        try:
            if body.get("stream"):
                return self._streamed(path, body, grown, calls)
            return self._whole(path, body, calls)
        except BrokenReplyError as error:
            raise PassingError(f"{self.address.url} sent a broken reply: {error}") from error
        except httpx.RequestError as error:
            raise PassingError(self._unreached(error), silent=True) from error

    def about(self) -> list[dict[str, Any]]:
        """What the endpoint's ``/models`` says; nothing if it does not say it at once."""
        try:
            asked = self._open().get(
                f"{self.address.url}/models", headers=self._headers(), timeout=_ASKED_SECONDS
            )
            found = Calls().run(asked)
            rows = found.raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None and self._loop is event_loop():
                asyncio.run_coroutine_threadsafe(client.aclose(), self._loop).result()

    def _open(self) -> httpx.AsyncClient:
        """The client of this process."""
        with self._lock:
            if self._client is None or self._loop is not event_loop():
                options = self.options
                self._loop = event_loop()
                self._client = httpx.AsyncClient(
                    timeout=httpx.Timeout(
                        options.read_timeout, connect=options.connect_timeout, pool=None
                    ),
                    limits=httpx.Limits(
                        max_connections=None, max_keepalive_connections=options.concurrency
                    ),
                    trust_env=not self.address.is_here,
                )
                weakref.finalize(self, _let_go, self._client, self._loop).atexit = False
            return self._client

    def _headers(self) -> dict[str, str]:
        key = find_key(self.options.key_env)
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def _whole(self, path: str, body: Mapping[str, Any], calls: Calls) -> Reply:
        url = self.address.url + path
        found = calls.run(self._open().post(url, json=dict(body), headers=self._headers()))
        if not found.is_success:
            raise self._failure(found)
        return read_reply(self._without_key(found.text))

    def _streamed(
        self,
        path: str,
        body: Mapping[str, Any],
        grown: Callable[[str], None] | None,
        calls: Calls,
    ) -> Reply:
        """The lines come over from the loop: what listens to them may take its time."""
        stream = ReplyStream(grown)
        sent: queue.SimpleQueue[_Sent] = queue.SimpleQueue()
        ended = calls.start(self._send_lines(self.address.url + path, body, sent))
        ended.add_done_callback(lambda _: sent.put(None))
        try:
            found = sent.get()
            if not isinstance(found, httpx.Response):
                ended.result()
                raise AssertionError("a stream without a head")
            if not found.is_success:
                ended.result()
                raise self._failure(found)
            if not _streams(found):
                ended.result()
                return read_reply(self._without_key(found.text))
            stream.read(map(self._without_key, _lines(sent)))
            try:
                if not stream.whole:
                    ended.result()
            except httpx.RequestError as error:
                raise BrokenReplyError(f"the stream was cut ({_cause(error)})") from error
        finally:
            ended.cancel()
        return stream.reply()

    async def _send_lines(
        self, url: str, body: Mapping[str, Any], sent: queue.SimpleQueue[_Sent]
    ) -> None:
        """Put the reply's head and, of a stream, its lines into ``sent``; read any other whole."""
        headers = self._headers()
        async with self._open().stream("POST", url, json=dict(body), headers=headers) as found:
            sent.put(found)
            if found.is_success and _streams(found):
                async for line in found.aiter_lines():
                    sent.put(line)
            else:
                await found.aread()

    def _failure(self, found: httpx.Response) -> Exception:
        """What a status other than success means."""
        status = found.status_code
        text = self._without_key(found.text)
        said = message_of(text)
        told = f"{self.address.url} answered {status} {found.reason_phrase}".rstrip() + f": {said}"
        quota = code_of(text) == "insufficient_quota"
        if status in (401, 403) or quota:
            return EndpointError(f"{told}; {self._key_hint(quota)}")
        if status == 404 or (status == 400 and f"'{self.address.model}'" in said):
            return EndpointError(f"{told}; {self._model_hint()}")
        if found.is_redirect:
            return EndpointError(f"{told}; it moved: give the URL it answers at")
        if status in RETRIED or status >= 500:
            return PassingError(told, wait=_asked_wait(found.headers))
        return RefusedError(told, status)

    def _without_key(self, text: str) -> str:
        key = find_key(self.options.key_env)
        return text if key is None else text.replace(key, "***")

    def _key_hint(self, quota: bool) -> str:
        if quota:
            return "its account has no credit left"
        name = key_variable(self.options.key_env)
        return f"set the environment variable {name} to a key for this endpoint and model"

    def _model_hint(self) -> str:
        names = [str(row.get("id")) for row in self.about()][:20]
        known = f"; it has {', '.join(names)}" if names else ""
        return (
            f"either it has no model {self.address.model!r}{known}, or its URL is another one "
            "(most end in /v1)"
        )

    def _unreached(self, error: httpx.RequestError) -> str:
        url = self.address.url
        if isinstance(error, httpx.ConnectTimeout):
            return f"{url} could not be reached within {self.options.connect_timeout:g} s"
        if isinstance(error, httpx.ReadTimeout):
            return f"{url} sent nothing for {self.options.read_timeout:g} s (read_timeout)"
        if isinstance(error, httpx.ConnectError):
            return f"{url} cannot be reached ({self._without_key(str(error))})"
        return f"{url}: the connection broke ({self._without_key(_cause(error))})"


def _streams(found: httpx.Response) -> bool:
    return "event-stream" in found.headers.get("content-type", "")


def _lines(sent: queue.SimpleQueue[_Sent]) -> Iterator[str]:
    """The lines that come, up to the end."""
    while isinstance(line := sent.get(), str):
        yield line


def _let_go(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    """Give the connections of a client back that nobody has closed."""
    if loop is event_loop():
        with contextlib.suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(client.aclose(), loop)


def _cause(error: httpx.RequestError) -> str:
    return str(error) or type(error).__name__


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or as a date."""
    asked = headers.get("retry-after", "").strip()
    try:
        seconds = float(asked)
    except ValueError:
        try:
            then = parsedate_to_datetime(asked)
        except ValueError:
            return None
        if then.tzinfo is None:
            then = then.replace(tzinfo=datetime.UTC)
        seconds = (then - datetime.datetime.now(datetime.UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
