"""One request over HTTP, whole or streamed."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from threading import Event
from typing import Any

import httpx

from promptlab.errors import EndpointError
from promptlab.models.remote.connection import Connection, cause_of
from promptlab.models.remote.endpoint import Endpoint
from promptlab.models.remote.error_message import ErrorMessage
from promptlab.models.remote.event_loop import CancellableCalls
from promptlab.models.remote.event_stream import EventDecoder, StreamEvent
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.reply import (
    EmbeddedError,
    MalformedResponseError,
    Reply,
    ReplyStream,
    read_reply,
)
from promptlab.models.remote.request import estimate_tokens
from promptlab.models.remote.response_body import (
    MOST_STREAMED,
    OverdueError,
    ReceivedResponse,
    UnreadableBodyError,
    head_of,
    read_pieces,
    read_whole,
    within,
)
from promptlab.models.remote.retry import ErrorResponse, NoModelError, RetryableError
from promptlab.models.remote.retry_after import requested_wait
from promptlab.models.remote.usage import TokenUsage
from promptlab.security.untrusted_text import sanitize

_ASKED_SECONDS = 10.0
"""How long the endpoint is asked about itself, at most."""
_MORE_ABOUT = 2
"""How often it is asked again."""
_SHOWN_MODELS = 20
_Sent = ReceivedResponse | bytes | None
"""Of a stream: the head, its bytes as they come, and at the end nothing."""


class Transport:
    """Sends requests to one endpoint; used by several threads.

    What the endpoint says is passed on without the key; ``repeats_secrets`` tells whether it was in
    a reply.
    """

    def __init__(self, endpoint: Endpoint, options: RemoteOptions) -> None:
        self.endpoint = endpoint
        self.options = options
        self.repeats_secrets = False
        self._connection = Connection(endpoint, options)

    def send(
        self,
        path: str,
        body: Mapping[str, Any],
        grown: Callable[[str], None] | None = None,
        calls: CancellableCalls | None = None,
    ) -> Reply:
        """One reply; of one that is streamed ``grown`` is told the text so far.

        Raises what `ErrorResponse.classify` says or `WithheldError` when this request fails, and
        `CancelledError` when ``calls`` are broken off.
        """
        calls = calls or CancellableCalls()
        try:
            if body.get("stream"):
                return self._without_secrets(self._streamed(path, body, grown, calls))
            return self._without_secrets(self._whole(path, body, calls))
        except EmbeddedError as error:
            raise self._stated(error) from error
        except UnreadableBodyError as error:
            raise RetryableError(f"{self.endpoint.url} sent a broken reply: {error}") from error
        except MalformedResponseError as error:
            told = self._connection.without_key(f"{self.endpoint.url} sent a broken reply: {error}")
            raise RetryableError(told, usage=error.usage) from error
        except httpx.RequestError as error:
            raise self._connection.judge(error) from error

    def list_models(self) -> list[dict[str, Any]]:
        """What the endpoint's ``/models`` says; nothing if it does not say it soon.

        One that is busy is asked again: what it says decides how long prompts may be.
        """
        most = min(_ASKED_SECONDS, self.options.reply_timeout)
        try:
            found = self._asked_about(most)
            for _ in range(_MORE_ABOUT):
                if found.status != 429 and found.status < 500:
                    break
                wait = requested_wait(found.headers, found.text)
                Event().wait(min(1.0 if wait is None else wait, most))
                found = self._asked_about(most)
            document = json.loads(found.content) if found.is_success else None
        except (httpx.HTTPError, UnreadableBodyError, ValueError, RecursionError):
            return []
        rows = document.get("data") if isinstance(document, dict) else None
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []

    def _asked_about(self, seconds: float) -> ReceivedResponse:
        return CancellableCalls().run(self._get(f"{self.endpoint.url}/models", seconds))

    async def _get(self, url: str, seconds: float) -> ReceivedResponse:
        client, headers = self._connection.client(), self._connection.headers()
        async with (
            within(seconds),
            client.stream("GET", url, headers=headers, timeout=seconds) as found,
        ):
            return await read_whole(found)

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()

    def _whole(self, path: str, body: Mapping[str, Any], calls: CancellableCalls) -> Reply:
        return self._read(calls.run(self._post(self.endpoint.url + path, body)), None)

    async def _post(self, url: str, body: Mapping[str, Any]) -> ReceivedResponse:
        client, headers = self._connection.client(), self._connection.headers()
        async with (
            within(self.options.reply_timeout),
            client.stream("POST", url, json=dict(body), headers=headers) as found,
        ):
            return await read_whole(found)

    def _read(self, found: ReceivedResponse, grown: Callable[[str], None] | None) -> Reply:
        """The reply in an answer that is here as a whole: JSON, or all events of a stream."""
        if not found.is_success:
            raise self._failure(found)
        if found.streams or found.content.lstrip()[:5] in (b"data:", b"event"):
            stream = ReplyStream(grown)
            return self._take(stream, iter([found.content])) or stream.reply()
        return read_reply(_decoded(found))

    def _without_secrets(self, reply: Reply) -> Reply:
        """The reply without the key, which no endpoint has a reason to repeat."""
        hidden = reply.without_secrets()
        self.repeats_secrets = self.repeats_secrets or hidden != reply
        return hidden

    def _streamed(
        self,
        path: str,
        body: Mapping[str, Any],
        grown: Callable[[str], None] | None,
        calls: CancellableCalls,
    ) -> Reply:
        """The bytes come over from the loop: what listens to them may take its time."""
        stream = ReplyStream(grown)
        sent: queue.SimpleQueue[_Sent] = queue.SimpleQueue()
        ended = calls.start(self._send_bytes(self.endpoint.url + path, body, sent))
        ended.add_done_callback(lambda _: sent.put(None))
        try:
            found = sent.get()
            if not isinstance(found, ReceivedResponse):
                ended.result()
                raise AssertionError("a stream without a head")
            if not (found.is_success and found.streams):
                ended.result()
                return self._read(found, grown)
            document = self._take(stream, _pieces(sent, self.options.reply_timeout))
            if document is not None:
                return document
            if not stream.whole:
                self._explain(ended, stream)
        finally:
            ended.cancel()
        try:
            return stream.reply()
        except MalformedResponseError as error:
            raise MalformedResponseError(str(error), _written(stream)) from error

    def _take(self, stream: ReplyStream, pieces: Iterator[bytes]) -> Reply | None:
        """Take in what comes, up to the mark of the end or the end itself.

        Some servers call a plain document a stream, above all when it tells an error: it is read
        as what it is.
        """
        decoder = EventDecoder()
        for piece in pieces:
            for event in decoder.feed(piece):
                stream.take(event)
                if stream.done:
                    return None
        if decoder.pending.strip() == "[DONE]":  # it says nothing else, whole or not
            stream.take(StreamEvent("[DONE]"))
        if stream.is_empty and decoder.rest:
            return read_reply(decoder.rest)
        return None

    def _explain(self, ended: Any, stream: ReplyStream) -> None:
        """Raise why a stream was cut, if that is known."""
        try:
            ended.result()
        except UnreadableBodyError as error:
            broken = stream.broken(f"the stream was cut ({error})")
            raise MalformedResponseError(str(broken), _written(stream)) from error
        except OverdueError as error:
            broken = stream.broken(f"the stream was cut ({error} (reply_timeout))")
            raise MalformedResponseError(str(broken), _written(stream)) from error
        except httpx.ReadTimeout as error:
            seconds = f"{self.options.read_timeout:g} s (read_timeout)"
            broken = stream.broken(f"the stream was cut (nothing came for {seconds})")
            raise MalformedResponseError(str(broken), _written(stream)) from error
        except httpx.RequestError as error:
            broken = stream.broken(f"the stream was cut ({cause_of(error)})")
            raise MalformedResponseError(str(broken), _written(stream)) from error

    async def _send_bytes(
        self, url: str, body: Mapping[str, Any], sent: queue.SimpleQueue[_Sent]
    ) -> None:
        """Put the reply's head and, of a stream, its bytes into ``sent``; read any other whole."""
        client = self._connection.client()
        headers = self._connection.headers() | {"Accept": "text/event-stream, application/json"}
        async with (
            within(self.options.reply_timeout),
            client.stream("POST", url, json=dict(body), headers=headers) as found,
        ):
            head = head_of(found)
            if not (head.is_success and head.streams):
                sent.put(await read_whole(found))
                return
            sent.put(head)
            async for piece in read_pieces(found, MOST_STREAMED):
                sent.put(piece)

    def _failure(self, found: ReceivedResponse) -> Exception:
        """What a status other than success means."""
        text = _decoded(found, strict=False)
        complaint = self._without_key(ErrorMessage.parse(text))
        told = f"{self.endpoint.url} answered {found.status} {found.reason}".rstrip()
        cut = " (the beginning of an answer of more than 1 MB)" if found.cut else ""
        told = self._connection.without_key(f"{told}: {complaint.message}{cut}")
        return self._judged(ErrorResponse(found.status, dict(found.headers), text, told, complaint))

    def _without_key(self, complaint: ErrorMessage) -> ErrorMessage:
        return replace(complaint, message=self._connection.without_key(complaint.message))

    def _stated(self, error: EmbeddedError) -> Exception:
        """What an error means that came inside of an answer or a stream with status 200."""
        complaint = self._without_key(error.complaint)
        status = complaint.status
        if status is None:
            told = f"{self.endpoint.url} sent a broken reply: it said: {complaint.message}"
        else:
            told = f"{self.endpoint.url} answered 200 with the error {status}: {complaint.message}"
        failed = ErrorResponse(status or 500, {}, error.text, told, complaint, error.usage)
        return self._judged(failed)

    def _judged(self, failed: ErrorResponse) -> Exception:
        found = failed.classify(self.endpoint.model, self._connection.key_name)
        if isinstance(found, NoModelError):
            return EndpointError(f"{found}; {self._model_hint()}")
        return found

    def _model_hint(self) -> str:
        ids = [row.get("id") for row in self.list_models()]
        names = [name[:100] for name in ids if isinstance(name, str)][:_SHOWN_MODELS]
        names = [sanitize(self._connection.without_key(name), lines=False) for name in names]
        known = f"; it has {', '.join(names)}" if names else ""
        return (
            f"either it has no model {self.endpoint.model!r}{known}, or its URL is another one "
            "(most end in /v1)"
        )


def _decoded(found: ReceivedResponse, *, strict: bool = True) -> str:
    """The text of an answer: JSON is UTF-8. Raises `MalformedResponseError` for other bytes."""
    try:
        return found.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = _wide_json(found.content)
        if wide is not None:
            return wide
        if strict:
            raise MalformedResponseError(f"its bytes are no UTF-8 ({error})") from error
        return found.text


def _wide_json(content: bytes) -> str | None:
    """JSON in UTF-16 or UTF-32 as text, ``None`` for anything else."""
    try:
        json.loads(content)  # it knows these, too
        return content.decode(json.detect_encoding(content))
    except (ValueError, RecursionError):
        return None


def _pieces(sent: queue.SimpleQueue[_Sent], seconds: float) -> Iterator[bytes]:
    """The bytes that come, up to the end; for so long, as taking them in takes time, too."""
    end = time.monotonic() + seconds
    while isinstance(piece := sent.get(), bytes):
        yield piece
        if time.monotonic() > end:
            raise MalformedResponseError(
                f"the stream was not over within {seconds:g} s (reply_timeout)"
            )


def _written(stream: ReplyStream) -> TokenUsage:
    """What a broken stream has cost: as it was told, else by what came of it."""
    if stream.usage or not stream.text:
        return stream.usage
    return TokenUsage(None, estimate_tokens(stream.text))
