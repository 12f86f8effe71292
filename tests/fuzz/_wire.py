"""A server that sends any bytes at all, also such as no HTTP server would."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable

Wire = Iterable[bytes | float]
"""What goes over the wire one after the other; a number is a pause in seconds."""


class WireServer:
    """Answers every request with what ``answer`` makes of its path and its key."""

    def __init__(self, answer: Callable[[str, str], Wire]) -> None:
        self.answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            head, rest = _head(connection)
            length = int(_field(head, "content-length") or 0)
            while len(rest) < length and (more := connection.recv(65_536)):
                rest += more
            path = head.split(" ")[1] if head.count(" ") > 1 else ""
            for piece in self.answer(path, _field(head, "authorization")):
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                else:
                    time.sleep(piece)


def http(
    body: bytes, status: str = "200 OK", kind: str = "application/json", *more: str
) -> list[bytes | float]:
    """A proper answer with any body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    head = "\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n"
    return [head.encode("utf-8", "surrogateescape") + body]


def _head(connection: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise OSError("no request")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def _field(head: str, name: str) -> str:
    for line in head.split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name:
            return value.strip()
    return ""
