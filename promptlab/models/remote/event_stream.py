"""Server-sent events out of bytes, as the WHATWG's standard reads them."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_MOST_OTHER = 100_000  # characters
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class StreamEvent:
    """The data of an event, and its type; empty when the stream names none."""

    data: str
    name: str = ""


class EventDecoder:
    """Takes bytes in pieces of any size and gives the events that they end.

    A line ends with CR, LF or both, a character may be split between two pieces, a byte order
    mark may come first. Comments and fields that are not needed here are passed over; an event
    that no blank line has ended is not an event.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._line: list[str] = []
        self._after_return = False
        self._data: list[str] = []
        self._name = ""
        self._other = ""

    def feed(self, data: bytes) -> list[StreamEvent]:
        """The events that end within ``data``."""
        text = self._decoder.decode(data)
        if self._after_return and text:
            self._after_return = False
            text = text.removeprefix("\n")  # of a CRLF that was split
        *lines, rest = _LINE_END.split(text)
        self._after_return = text.endswith("\r") or (not text and self._after_return)
        found = [self._take(line) for line in lines]
        self._line.append(rest)
        return [event for event in found if event is not None]

    @property
    def rest(self) -> str:
        """Lines that look like a document, which some servers send in the place of events."""
        line = "".join(self._line)
        return self._other + line if self._other or line[:1] in ("{", "<", "[") else ""

    @property
    def pending(self) -> str:
        """The data of the event that has begun and is not ended."""
        return "\n".join([*self._data, *self._value("".join(self._line), "data")])

    def _take(self, end: str) -> StreamEvent | None:
        line = "".join([*self._line, end])
        self._line.clear()
        if line:
            self._data += self._value(line, "data")
            for name in self._value(line, "event"):
                self._name = name
            if len(self._other) < _MOST_OTHER and (self._other or line[0] in "{<["):
                self._other += line + "\n"
            return None
        event = StreamEvent("\n".join(self._data), self._name) if self._data else None
        self._data, self._name = [], ""
        return event

    @staticmethod
    def _value(line: str, field: str) -> list[str]:
        """What a line says of a field, without one leading blank; nothing for another field."""
        name, _, value = line.partition(":")
        return [value.removeprefix(" ")] if name == field else []
