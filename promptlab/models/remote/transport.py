"""One request over HTTP, whole or streamed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import weakref
from collections.abc import Callable, Iterator, Mapping
from threading import Event, Lock
from typing import Any

import httpx

from promptlab.errors import EndpointError, InputError
from promptlab.models.remote.address import Address, find_key, key_variable
from promptlab.models.remote.calls import Calls, event_loop
from promptlab.models.remote.complaint import Complaint
from promptlab.models.remote.event_stream import EventDecoder, StreamEvent
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.reply import (
    BrokenReplyError,
    Reply,
    ReplyStream,
    StatedError,
    read_reply,
)
from promptlab.models.remote.request import text_tokens
from promptlab.models.remote.usage import Usage
from promptlab.models.remote.verdict import Failed, NoModelError, PassingError
from promptlab.models.remote.wait_hint import asked_wait

_ASKED_SECONDS = 10.0
"""How long the endpoint is asked about itself."""
_MORE_ABOUT = 2
"""How often it is asked again."""
_UNUSABLE_PROXY = (
    "the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used: "
    "give a URL that begins with http://, run pip install 'httpx[socks]' for one that begins with "
    "socks5://, or name the endpoint's host in NO_PROXY"
)
_Sent = httpx.Response | bytes | None
"""Of a stream: the head, its bytes as they come, and at the end nothing."""


class Transport:
    """Sends requests to one endpoint; used by several threads.

    The key is read from the environment for every request and kept nowhere; what the endpoint
    says is passed on without it.
    """

    def __init__(self, address: Address, options: RemoteOptions) -> None:
        self.address = address
        self.options = options
        self._lock = Lock()
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

        Raises what `Failed.judge` says or `WithheldError` when this request fails, and
        `CancelledError` when ``calls`` are broken off.
        """
        calls = calls or Calls()
        try:
            if body.get("stream"):
                return self._streamed(path, body, grown, calls)
            return self._whole(path, body, calls)
        except StatedError as error:
            raise self._stated(error) from error
        except BrokenReplyError as error:
            told = f"{self.address.url} sent a broken reply: {error}"
            raise PassingError(told, usage=error.usage) from error
        except httpx.DecodingError as error:
            told = f"{self.address.url} sent a broken reply: its {_cause(error)}"
            raise PassingError(told) from error
        except httpx.ProxyError as error:
            raise self._proxy(error) from error
        except httpx.RequestError as error:
            raise self._never(error) or PassingError(self._unreached(error), silent=True) from error

    def about(self) -> list[dict[str, Any]]:
        """What the endpoint's ``/models`` says; nothing if it does not say it soon.

        One that is busy is asked again: what it says decides how long prompts may be.
        """
        try:
            found = self._asked_about()
            for _ in range(_MORE_ABOUT):
                if found.status_code != 429 and found.status_code < 500:
                    break
                wait = asked_wait(found.headers, found.text)
                Event().wait(min(1.0 if wait is None else wait, _ASKED_SECONDS))
                found = self._asked_about()
            rows = found.raise_for_status().json()["data"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return []
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def _asked_about(self) -> httpx.Response:
        asked = self._open().get(
            f"{self.address.url}/models", headers=self._headers(), timeout=_ASKED_SECONDS
        )
        return Calls().run(asked)

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
                try:
                    self._client = httpx.AsyncClient(
                        timeout=httpx.Timeout(
                            options.read_timeout, connect=options.connect_timeout, pool=None
                        ),
                        limits=httpx.Limits(
                            max_connections=None, max_keepalive_connections=options.concurrency
                        ),
                        trust_env=not self.address.is_here,
                    )
                except (ImportError, ValueError, httpx.InvalidURL) as error:
                    raise InputError(_UNUSABLE_PROXY) from error  # its text may hold a password
                weakref.finalize(self, _let_go, self._client, self._loop).atexit = False
            return self._client

    def _headers(self) -> dict[str, str]:
        key = find_key(self.options.key_env)
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def _whole(self, path: str, body: Mapping[str, Any], calls: Calls) -> Reply:
        url = self.address.url + path
        found = calls.run(self._open().post(url, json=dict(body), headers=self._headers()))
        return self._read(found, None)

    def _read(self, found: httpx.Response, grown: Callable[[str], None] | None) -> Reply:
        """The reply in an answer that is here as a whole: JSON, or all events of a stream."""
        if not found.is_success:
            raise self._failure(found)
        if _streams(found) or found.content.lstrip()[:5] in (b"data:", b"event"):
            stream = ReplyStream(grown)
            return self._take(stream, iter([found.content])) or stream.reply()
        return read_reply(self._without_key(_decoded(found)))

    def _streamed(
        self,
        path: str,
        body: Mapping[str, Any],
        grown: Callable[[str], None] | None,
        calls: Calls,
    ) -> Reply:
        """The bytes come over from the loop: what listens to them may take its time."""
        stream = ReplyStream(grown)
        sent: queue.SimpleQueue[_Sent] = queue.SimpleQueue()
        ended = calls.start(self._send_bytes(self.address.url + path, body, sent))
        ended.add_done_callback(lambda _: sent.put(None))
        try:
            found = sent.get()
            if not isinstance(found, httpx.Response):
                ended.result()
                raise AssertionError("a stream without a head")
            if not (found.is_success and _streams(found)):
                ended.result()
                return self._read(found, grown)
            document = self._take(stream, _pieces(sent))
            if document is not None:
                return document
            if not stream.whole:
                self._explain(ended, stream)
        finally:
            ended.cancel()
        try:
            return stream.reply()
        except BrokenReplyError as error:
            raise BrokenReplyError(str(error), _written(stream)) from error

    def _take(self, stream: ReplyStream, pieces: Iterator[bytes]) -> Reply | None:
        """Take in what comes, up to the mark of the end or the end itself.

        Some servers call a plain document a stream, above all when it tells an error: it is read
        as what it is.
        """
        decoder = EventDecoder()
        for piece in pieces:
            for event in decoder.feed(piece):
                stream.take(StreamEvent(self._without_key(event.data), event.name))
                if stream.done:
                    return None
        if decoder.pending.strip() == "[DONE]":  # it says nothing else, whole or not
            stream.take(StreamEvent("[DONE]"))
        if stream.is_empty and decoder.rest:
            return read_reply(self._without_key(decoder.rest))
        return None

    def _explain(self, ended: Any, stream: ReplyStream) -> None:
        """Raise why a stream was cut, if that is known."""
        try:
            ended.result()
        except httpx.ReadTimeout as error:
            seconds = f"{self.options.read_timeout:g} s (read_timeout)"
            broken = stream.broken(f"the stream was cut (nothing came for {seconds})")
            raise BrokenReplyError(str(broken), _written(stream)) from error
        except httpx.RequestError as error:
            broken = stream.broken(f"the stream was cut ({_cause(error)})")
            raise BrokenReplyError(str(broken), _written(stream)) from error

    async def _send_bytes(
        self, url: str, body: Mapping[str, Any], sent: queue.SimpleQueue[_Sent]
    ) -> None:
        """Put the reply's head and, of a stream, its bytes into ``sent``; read any other whole."""
        headers = self._headers() | {"Accept": "text/event-stream, application/json"}
        async with self._open().stream("POST", url, json=dict(body), headers=headers) as found:
            if found.is_success and _streams(found):
                sent.put(found)
                async for piece in found.aiter_bytes():
                    sent.put(piece)
            else:
                await found.aread()
                sent.put(found)

    def _failure(self, found: httpx.Response) -> Exception:
        """What a status other than success means."""
        text = self._without_key(_decoded(found, strict=False))
        complaint = Complaint.of(text)
        told = f"{self.address.url} answered {found.status_code} {found.reason_phrase}".rstrip()
        told = f"{told}: {complaint.message}"
        return self._judged(Failed(found.status_code, dict(found.headers), text, told, complaint))

    def _stated(self, error: StatedError) -> Exception:
        """What an error means that came inside of an answer or a stream with status 200."""
        status = error.complaint.status
        if status is None:
            told = f"{self.address.url} sent a broken reply: it said: {error}"
        else:
            told = f"{self.address.url} answered 200 with the error {status}: {error}"
        failed = Failed(status or 500, {}, error.text, told, error.complaint, error.usage)
        return self._judged(failed)

    def _judged(self, failed: Failed) -> Exception:
        found = failed.judge(self.address.model, key_variable(self.options.key_env))
        if isinstance(found, NoModelError):
            return EndpointError(f"{found}; {self._model_hint()}")
        return found

    def _proxy(self, error: httpx.ProxyError) -> Exception:
        """A proxy that refuses the way to the endpoint."""
        cause = self._without_key(_cause(error))
        told = f"the proxy on the way to {self.address.url} refuses it ({cause})"
        if "407" in cause:
            return Failed(407, {}, "", told, Complaint(cause)).judge("", "")
        return PassingError(told, silent=True)

    def _without_key(self, text: str) -> str:
        key = find_key(self.options.key_env)
        return text if key is None else text.replace(key, "***")

    def _model_hint(self) -> str:
        names = [str(row.get("id")) for row in self.about()][:20]
        known = f"; it has {', '.join(names)}" if names else ""
        return (
            f"either it has no model {self.address.model!r}{known}, or its URL is another one "
            "(most end in /v1)"
        )

    def _never(self, error: httpx.RequestError) -> EndpointError | None:
        """The error of a connection that would fail every time: the two sides cannot agree."""
        cause, url = str(error), self.address.url
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            return EndpointError(
                f"{url} shows a certificate that is not trusted here ({self._without_key(cause)}); "
                "put its authority's file into the environment variable SSL_CERT_FILE"
            )
        if any(name in cause for name in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")):
            return EndpointError(f"{url} does not speak TLS; does its URL begin with http://?")
        return None

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


def _decoded(found: httpx.Response, *, strict: bool = True) -> str:
    """The text of an answer: JSON is UTF-8. Raises `BrokenReplyError` for other bytes."""
    try:
        return found.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            json.loads(found.content)  # it knows UTF-16 and UTF-32, too
            return found.content.decode(json.detect_encoding(found.content))
        except (ValueError, RecursionError):
            pass
        if strict:
            raise BrokenReplyError(f"its bytes are no UTF-8 ({error})") from error
        return found.text


def _pieces(sent: queue.SimpleQueue[_Sent]) -> Iterator[bytes]:
    """The bytes that come, up to the end."""
    while isinstance(piece := sent.get(), bytes):
        yield piece


def _written(stream: ReplyStream) -> Usage:
    """What a broken stream has cost: as it was told, else by what came of it."""
    if stream.usage or not stream.text:
        return stream.usage
    return Usage(None, text_tokens(stream.text))


def _let_go(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    """Give the connections of a client back that nobody has closed."""
    if loop is event_loop():
        with contextlib.suppress(RuntimeError):  # the loop has ended
            asyncio.run_coroutine_threadsafe(client.aclose(), loop)


def _cause(error: httpx.RequestError) -> str:
    return str(error) or type(error).__name__
