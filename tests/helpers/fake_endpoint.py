"""A small real HTTP server that answers as a test tells it to, faults included."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What goes over the wire; ``cut`` ends the connection before the promised length is sent.

    ``reset`` breaks it off at once, ``delay`` are seconds before anything is sent. With ``until``
    the length is promised too great, too, and nothing more comes until that is set.
    """

    status: int = 200
    text: str = ""
    kind: str = "application/json"
    encoding: str = "utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    reset: bool = False
    until: threading.Event | None = None


def said(text: str, *, finish: str = "stop", usage: tuple[int, int] | None = (10, 2)) -> Answer:
    """A whole reply of chat completions."""
    message = {"role": "assistant", "content": text}
    document: dict[str, Any] = {"choices": [{"message": message, "finish_reason": finish}]}
    if usage is not None:
        document["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return Answer(text=json.dumps(document))


def refused(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI's endpoints send it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": message, "code": code}
    return Answer(status, json.dumps({"error": error}), headers=named)


def stream(*pieces: str, finish: str | None = "stop", done: bool = True) -> Answer:
    """A streamed reply; without ``finish`` and ``done`` it is cut."""
    events = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    if finish is not None:
        events.append({"choices": [{"delta": {}, "finish_reason": finish}]})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return Answer(
        text=": a comment\n\n" + "".join(lines) + ("data: [DONE]\n\n" if done else ""),
        kind="text/event-stream",
    )


@dataclass
class Call:
    """A request as it came: its path, JSON body, headers, and what the last user turn says."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def words(self) -> str:
        """The prompt's text."""
        if "prompt" in self.body:
            return str(self.body["prompt"])
        return str(self.body["messages"][0]["content"])


Script = Callable[[Call, int], Answer]
"""The answer to a call; the number counts the calls with the same words, from 0 on."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone (it may have been killed) is no fault of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Endpoint:
    """The server: its ``url``, the ``calls`` it got, and the most that were open at a time."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.models: list[dict[str, Any]] = [{"id": "m", "max_model_len": 512}]
        self.busy_about = 0  # so often it has no time to tell its models
        self.calls: list[Call] = []
        self.most = 0
        self._open = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def name(self) -> str:
        """Its model as promptlab names it."""
        return f"remote:m@{self.url}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: Call) -> Answer:
        """What the script says, counted."""
        with self._lock:
            self.calls.append(call)
            number = self._counts.get(call.words, 0)
            self._counts[call.words] = number + 1
            self._open += 1
            self.most = max(self.most, self._open)
        try:
            return self.script(call, number)
        finally:
            with self._lock:
                self._open -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Nothing is printed."""

            def do_GET(self) -> None:
                if endpoint.busy_about:
                    endpoint.busy_about -= 1
                    self._send(refused(429, "wait", retry_after_ms="1"))
                else:
                    self._send(Answer(text=json.dumps({"data": endpoint.models})))

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                data = self.rfile.read(size)
                if len(data) < size:  # the client was killed while it asked
                    self.close_connection = True
                    return
                body = json.loads(data)
                self._send(endpoint.answer(Call(self.path, body, dict(self.headers))))

            def _send(self, answer: Answer) -> None:
                threading.Event().wait(answer.delay)
                if answer.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                data = answer.text.encode(answer.encoding)
                short = answer.cut or answer.until is not None
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.kind)
                    self.send_header("Content-Length", str(len(data) + (50 if short else 0)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                    self.close_connection = short
                    if answer.until is not None:
                        self.wfile.flush()
                        answer.until.wait()
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client has given up waiting

        return Handler


@contextmanager
def serving(script: Script) -> Iterator[Endpoint]:
    """An endpoint on a free port of this machine for a while."""
    endpoint = Endpoint(script)
    try:
        yield endpoint
    finally:
        endpoint.close()
