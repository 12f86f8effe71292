"""What an endpoint answers: whole JSON documents, and streams of pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_SHOWN = 80  # characters of a reply that cannot be read


class BrokenReplyError(Exception):
    """A reply that was cut or makes no sense; asking again may help."""


@dataclass(frozen=True)
class Reply:
    """A whole reply; token counts are ``None`` where the endpoint does not tell them.

    ``reason`` is the endpoint's word for why the text ends. ``thought`` says that a hidden
    reasoning came beside the text.
    """

    text: str
    reason: str
    tokens_in: int | None
    tokens_out: int | None
    thought: bool = False


def read_reply(text: str) -> Reply:
    """The reply in a JSON document. Raises `BrokenReplyError`."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BrokenReplyError(_not_json(text)) from error
    choice = _choice(document)
    if choice is None:
        raise BrokenReplyError(_without_choices(document))
    found = choice.get("message")
    message: dict[str, Any] = found if isinstance(found, dict) else {}
    said = message.get("content") if message else choice.get("text")
    if said is not None and not isinstance(said, str):
        raise BrokenReplyError(f"its text is no text: {_begin(json.dumps(said))}")
    return Reply(
        said or "",
        str(choice.get("finish_reason") or ""),
        *_counts(document),
        thought=_thinks(message),
    )


class ReplyStream:
    """Puts the pieces of a stream (server-sent events) together.

    A stream is whole when a piece had a finish reason or ``[DONE]`` came. ``grown`` is told the
    text so far.
    """

    def __init__(self, grown: Callable[[str], None] | None = None) -> None:
        self._grown = grown
        self._texts: list[str] = []
        self._reason = ""
        self._done = self._thought = False
        self._usage: dict[str, Any] = {}
        self._events = 0

    def read(self, lines: Iterable[str]) -> None:
        """Take in the lines of the stream. Raises `BrokenReplyError` for what makes no sense."""
        for event in _events(lines):
            self._events += 1
            if event.strip() == "[DONE]":
                self._done = True
                return
            self._take(event)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self._done or bool(self._reason)

    def reply(self) -> Reply:
        """The whole reply. Raises `BrokenReplyError` if the stream was cut."""
        if not self.whole:
            pieces = f"after {len(self._texts)} pieces" if self._events else "before any piece"
            raise BrokenReplyError(f"the stream was cut {pieces}, without an end")
        return Reply("".join(self._texts), self._reason, *_counts(self._usage), self._thought)

    def _take(self, event: str) -> None:
        try:
            piece = json.loads(event)
        except ValueError as error:
            raise BrokenReplyError(_not_json(event)) from error
        if not isinstance(piece, dict) or piece.get("error"):
            raise BrokenReplyError(_without_choices(piece))
        if isinstance(piece.get("usage"), dict):
            self._usage = piece
        choice = _choice(piece)
        if choice is None:
            return
        found = choice.get("delta")
        delta: dict[str, Any] = found if isinstance(found, dict) else {}
        text = delta.get("content") if delta else choice.get("text")
        if isinstance(text, str) and text:
            self._texts.append(text)
            if self._grown is not None:
                self._grown("".join(self._texts))
        self._thought = self._thought or _thinks(delta)
        self._reason = str(choice.get("finish_reason") or self._reason)


def message_of(text: str) -> str:
    """What an endpoint says in the body of an error, in one line."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        return _begin(text)
    return _error_text(document) or _begin(text)


def code_of(text: str) -> str:
    """An error's own code or type, such as ``insufficient_quota``; empty if it has none."""
    try:
        error = json.loads(text)["error"]
        return str(error.get("code") or error.get("type") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _events(lines: Iterable[str]) -> Iterator[str]:
    """The data of every event; comments and other fields are left out."""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    if data:
        yield "\n".join(data)


def _choice(document: Any) -> dict[str, Any] | None:
    choices = document.get("choices") if isinstance(document, dict) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return None


def _counts(document: dict[str, Any]) -> tuple[int | None, int | None]:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None, None
    found = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    first, second = (value if type(value) is int and value >= 0 else None for value in found)
    return first, second


def _thinks(message: dict[str, Any]) -> bool:
    return bool(message.get("reasoning_content") or message.get("reasoning"))


def _not_json(text: str) -> str:
    page = text.lstrip()[:15].lower()
    if page.startswith(("<!doctype", "<html")):
        return f"it answered with a web page, not JSON ({_begin(text)}); is the URL right?"
    return f"its answer is no JSON ({_begin(text)})"


def _without_choices(document: Any) -> str:
    said = _error_text(document)
    return f"it said: {said}" if said else f"its answer has no choices ({_begin(repr(document))})"


def _error_text(document: Any) -> str:
    """The text under ``error`` (OpenAI, vLLM), ``detail`` (FastAPI) or ``message``."""
    if not isinstance(document, dict):
        return ""
    error = document.get("error", document.get("detail", document.get("message")))
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error
    return "" if error is None else " ".join(str(error).split())[:500]


def _begin(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        return "empty"
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")
