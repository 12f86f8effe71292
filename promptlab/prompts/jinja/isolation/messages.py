"""Questions and answers between processes: JSON with its length before it, over a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

from promptlab.errors import InputError, TemplateError
from promptlab.prompts.prompt import Segment, Slot, Soft, Text, Trigger

_LARGEST = 200_000_000
"""Bytes of a message."""


def send(connection: socket.socket, message: Any) -> None:
    """Send plain data."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    connection.sendall(len(body).to_bytes(4, "big") + body)


def receive(connection: socket.socket) -> Any:
    """The next message; ``None`` when the other side has ended.

    Raises `ValueError` for what is no message, and `OSError` as sockets do.
    """
    head = _read(connection, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    if size > _LARGEST:
        raise ValueError(f"a message of {size} bytes")
    body = _read(connection, size)
    if body is None:
        return None
    try:
        return json.loads(body.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("a message nested too deeply") from None


def _read(connection: socket.socket, size: int) -> bytes | None:
    parts, left = [], size
    while left:
        part = connection.recv(min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def segments_to_json(segments: Sequence[Segment]) -> list[list[Any]]:
    """Segments as plain data."""
    return [_plain(segment) for segment in segments]


def _plain(segment: Segment) -> list[Any]:
    match segment:
        case Text(text, given):
            return ["text", text, given]
        case Slot():
            return ["slot"]
        case Soft(count, init, name):
            return ["soft", count, init, name]
        case Trigger(count):
            return ["trigger", count]


def segments_from_json(data: Any) -> tuple[Segment, ...]:
    """The inverse of `segments_to_json`. Raises `ValueError` for other data."""
    return tuple(_segment(*one) for one in data)


def _segment(kind: str, *values: Any) -> Segment:
    match kind, values:
        case "text", (str(text), list(given)):
            return Text(text, tuple((int(start), int(end)) for start, end in given))
        case "slot", ():
            return Slot()
        case "soft", (int(count), str() | None as init, str() | None as name):
            return Soft(count, init, name)
        case "trigger", (int(count),):
            return Trigger(count)
    raise ValueError(f"no segment: {kind!r}")


def error_to_json(error: InputError) -> dict[str, Any]:
    """An error as plain data."""
    return {"error": str(error), "summary": getattr(error, "summary", None)}


def error_from_json(data: Any) -> InputError:
    """The inverse of `error_to_json`."""
    if data["summary"] is None:
        return InputError(str(data["error"]))
    error = TemplateError(str(data["summary"]))
    error.args = (str(data["error"]),)
    return error
