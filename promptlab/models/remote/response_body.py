"""Answers as they arrive: never more of one than a reply can be, never for longer than allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

MOST_BYTES = 8 * 2**20
"""Of a whole answer: a reply that is longer is none."""
MOST_STREAMED = 64 * 2**20
"""Of a stream, in which every piece is wrapped in a document of its own."""
MOST_TOLD = 2**20
"""Of an error: what comes after that is not read."""
ENCODINGS = "gzip, deflate"
"""The compressions that are asked for and understood."""
_PIECE = 65_536


class UnreadableBodyError(Exception):
    """An answer that is too large, or compressed so that it cannot be read."""


class OverdueError(httpx.ReadTimeout):
    """An answer that has not ended in the time that it is given."""


@dataclass(frozen=True)
class ReceivedResponse:
    """An answer: its head, and the content as far as it was read; ``cut`` says that more came."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes = b""
    cut: bool = False

    @property
    def is_success(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300

    @property
    def streams(self) -> bool:
        """Whether events come one by one."""
        return "event-stream" in self.headers.get("content-type", "")

    @property
    def text(self) -> str:
        """The content as UTF-8, whatever its head says of it."""
        return self.content.decode("utf-8", "replace")


def head_of(response: httpx.Response) -> ReceivedResponse:
    """The head of an answer."""
    return ReceivedResponse(response.status_code, response.reason_phrase, response.headers)


async def read_whole(response: httpx.Response, most: int = MOST_BYTES) -> ReceivedResponse:
    """An answer with its content. Raises `UnreadableBodyError`.

    Of an error that is too large the beginning is enough.
    """
    head = head_of(response)
    most = most if head.is_success else min(most, MOST_TOLD)
    parts: list[bytes] = []
    cut = False
    try:
        async for part in read_pieces(response, most):
            parts.append(part)
    except UnreadableBodyError:
        if head.is_success:
            raise
        cut = True
    return ReceivedResponse(head.status, head.reason, head.headers, b"".join(parts), cut)


async def read_pieces(response: httpx.Response, most: int) -> AsyncIterator[bytes]:
    """The content piece by piece, unpacked. Raises `UnreadableBodyError`."""
    unpacked = _Unpacked(response.headers.get("content-encoding", ""))
    length = 0
    async for packed in response.aiter_raw():
        for piece in unpacked.feed(packed):
            length += len(piece)
            if length > most:
                raise UnreadableBodyError(f"it is larger than {most / 2**20:g} MB")
            yield piece
    unpacked.end()


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """While inside, so many seconds may pass. Raises `OverdueError`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise OverdueError(f"not over within {seconds:g} s") from error


class _Unpacked:
    """Unpacks a little at a time, so that a small answer never becomes a huge one at once."""

    def __init__(self, encoding: str) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if len(names) > 1 or not set(names) <= {"gzip", "x-gzip", "deflate"}:
            raise UnreadableBodyError(f"its content-encoding {encoding[:80]!r} was not asked for")
        self._form = names[0] if names else ""
        self._stream = zlib.decompressobj(47) if names else None
        self._is_new = True

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """The pieces that come of it. Raises `UnreadableBodyError`."""
        if self._stream is None:
            return iter((packed,))
        return self._fed(packed)

    def _fed(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            yield self._piece(packed)
            assert self._stream is not None
            packed = self._stream.unconsumed_tail

    def _piece(self, packed: bytes) -> bytes:
        assert self._stream is not None
        try:
            piece = self._stream.decompress(packed, _PIECE)
        except zlib.error as error:
            if not self._is_new or self._form != "deflate":
                raise UnreadableBodyError(f"its compressed data are broken ({error})") from error
            self._stream = zlib.decompressobj(-15)  # what some servers call deflate has no head
            self._is_new = False
            return self._piece(packed)
        self._is_new = False
        return piece

    def end(self) -> None:
        """Nothing more comes. Raises `UnreadableBodyError` when something is missing."""
        if self._stream is not None and not self._is_new and not self._stream.eof:
            raise UnreadableBodyError("its compressed data were cut")
