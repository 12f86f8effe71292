"""What an endpoint answers: whole JSON documents, and streams of pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from promptlab.models.remote.error_message import (
    ErrorMessage,
    filtered_categories,
    has_error,
    is_page,
    preview,
)
from promptlab.models.remote.event_stream import StreamEvent
from promptlab.models.remote.message import AssistantMessage, read_message
from promptlab.models.remote.usage import UNKNOWN_USAGE, TokenUsage, find_usage, read_usage
from promptlab.security.redaction import hide_secrets

_SHOWN = 80  # characters of a word that is told
_LONGEST = 10_000  # characters of a document that is looked into for an error

LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "token_limit"})
"""Finish reasons of a text that was cut at its limit."""
WITHHELD = frozenset(
    {
        "content_filter", "content-filter", "content_filtered", "safety", "recitation",
        "blocklist", "prohibited_content", "spii", "sensitive", "guardrail_intervened",
        "language", "image_safety",
    }
)  # fmt: skip
"""Finish reasons of a text that a filter has withheld, in part or as a whole."""
BROKEN = frozenset(
    {
        "error", "abort", "aborted", "cancelled", "canceled", "timeout", "failed",
        "insufficient_system_resource", "malformed_response", "other_error",
    }
)  # fmt: skip
"""Finish reasons of a text that the server has broken off."""
_CALLS = frozenset({"tool_calls", "tool_call", "tool_use", "function_call"})
FAILED = WITHHELD | BROKEN


class ReplyError(Exception):
    """A reply that is no answer; what it cost is in ``usage``."""

    def __init__(self, message: str, usage: TokenUsage = UNKNOWN_USAGE) -> None:
        super().__init__(message)
        self.usage = usage


class MalformedResponseError(ReplyError):
    """A reply that was cut or makes no sense; asking again may help."""


class WithheldError(ReplyError):
    """The model's text was withheld, or it wants something else than to answer."""


class EmbeddedError(ReplyError):
    """The reply is an error that is told inside, whatever the status says."""

    def __init__(self, complaint: ErrorMessage, text: str, usage: TokenUsage) -> None:
        super().__init__(complaint.message, usage)
        self.complaint = complaint
        self.text = text


@dataclass(frozen=True)
class Reply:
    """A whole reply.

    ``reason`` is the endpoint's word for why the text ends, in lower case. ``reasoning`` was
    thought before the text and is no part of it; ``refusal`` are the words with which the model
    declined to answer: then there is no text.
    """

    text: str
    reason: str
    usage: TokenUsage
    reasoning: str = ""
    refusal: str = ""

    def without_secrets(self) -> Reply:
        """The same with every secret of this process replaced by a mark."""
        hidden = map(hide_secrets, (self.text, self.reason, self.reasoning, self.refusal))
        text, reason, reasoning, refusal = hidden
        return Reply(text, reason, self.usage, reasoning, refusal)


def read_reply(text: str) -> Reply:
    """The reply in a JSON document. Raises `ReplyError`."""
    try:
        document = read_json(text)
    except (ValueError, RecursionError) as error:
        raise MalformedResponseError(_not_json(text), find_usage(text)) from error
    usage = read_usage(document)
    if has_error(document):
        raise EmbeddedError(ErrorMessage.from_document(document), text, usage)
    choice = first_choice(document)
    if choice is None:
        raise _without_choices(document, text, usage)
    if has_error(choice):
        raise EmbeddedError(ErrorMessage.from_document(choice), _some(choice), usage)
    return finish_reply(_said(choice, "message", usage), _reason(choice), usage, choice)


class ReplyStream:
    """Puts the pieces of a stream together.

    A stream is whole when a piece had a finish reason or ``[DONE]`` came. ``grown`` is told the
    text so far.
    """

    def __init__(self, grown: Callable[[str], None] | None = None) -> None:
        self._grown = grown
        self._said: list[AssistantMessage] = []
        self._filtered: dict[str, Any] = {}
        self._reason = ""
        self._done = False
        self._events = 0
        self._length = self._next = 0
        self.usage = UNKNOWN_USAGE

    @property
    def is_empty(self) -> bool:
        """Whether no event has come."""
        return not self._events

    @property
    def done(self) -> bool:
        """Whether the end was marked: nothing more is to come."""
        return self._done

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self._done or bool(self._reason)

    @property
    def text(self) -> str:
        """The text so far."""
        return _paired("".join(each.text for each in self._said))

    def take(self, event: StreamEvent) -> None:
        """Take in an event. Raises `ReplyError` for what makes no sense, or tells an error."""
        self._events += 1
        if event.data.strip() == "[DONE]":
            self._done = True
            return
        try:
            piece = read_json(event.data)
        except (ValueError, RecursionError) as error:
            if event.name not in ("", "message", "error"):
                return  # of another kind, such as a ping
            raise MalformedResponseError(_not_json(event.data), self.usage) from error
        self.usage = _usage_in(piece) or self.usage
        if event.name == "error" or has_error(piece):
            raise EmbeddedError(
                ErrorMessage.from_document(piece, event.data), event.data, self.usage
            )
        if not isinstance(piece, Mapping):
            raise MalformedResponseError(_no_choices(event.data), self.usage)
        choice = first_choice(piece, most=0)
        if choice is not None:
            self._take(choice)
        elif "choices" not in piece and ("detail" in piece or "message" in piece):
            raise EmbeddedError(
                ErrorMessage.from_document(piece, event.data), event.data, self.usage
            )

    def reply(self) -> Reply:
        """The whole reply. Raises `ReplyError` if the stream was cut or ended in a failure."""
        if not self.whole:
            raise self.broken("the stream was cut")
        if not self._said:
            raise MalformedResponseError("its stream has no choices", self.usage)
        said = AssistantMessage(
            self.text,
            "".join(each.refusal for each in self._said),
            "".join(each.reasoning for each in self._said),
            any(each.calls for each in self._said),
        )
        return finish_reply(said, self._reason, self.usage, self._filtered)

    def broken(self, what: str) -> MalformedResponseError:
        """The error of a stream that ends too early."""
        count = sum(bool(each.text) for each in self._said)
        pieces = f"after {count} pieces" if self._events else "before any piece"
        return MalformedResponseError(f"{what} {pieces}, without an end", self.usage)

    def _take(self, choice: Mapping[str, Any]) -> None:
        if has_error(choice):
            raise EmbeddedError(ErrorMessage.from_document(choice), _some(choice), self.usage)
        whole = "delta" not in choice and isinstance(choice.get("message"), Mapping)
        said = _said(choice, "message" if whole else "delta", self.usage)
        if whole:  # some end with all that was said, once more
            self._said.clear()
        self._said.append(said)
        self._filtered |= {k: v for k, v in choice.items() if k.startswith("content_filter")}
        self._reason = _reason(choice) or self._reason
        self._length += len(said.text)
        if said.text and self._grown is not None and self._length >= self._next:
            # Telling a long text letter by letter would take time in its square.
            self._next = self._length + self._length // 200
            self._grown(hide_secrets(self.text))


def finish_reply(
    said: AssistantMessage, reason: str, usage: TokenUsage, choice: Mapping[str, Any]
) -> Reply:
    """The reply that a message and the reason of its end come to.

    Raises `MalformedResponseError` for one that the server broke off and `WithheldError` for one
    that a filter withheld or that calls a tool.
    """
    text, refusal = _paired(said.text), _paired(said.refusal)
    if reason in BROKEN:
        raise MalformedResponseError(f"the text was broken off (finish reason {reason!r})", usage)
    filtered = list(dict.fromkeys(filtered_categories(dict(choice))))
    if reason in WITHHELD or (filtered and not text.strip()):
        found = f": {', '.join(filtered)}" if filtered else ""
        raise WithheldError(f"a content filter withheld the reply ({reason}{found})", usage)
    if said.calls or (reason in _CALLS and not text.strip()):
        raise WithheldError(
            "the model asked for a tool instead of answering (take tools out of extra)", usage
        )
    if refusal or reason == "refusal":
        return Reply("", reason, usage, _paired(said.reasoning), refusal or text or "(no words)")
    return Reply(text, reason, usage, _paired(said.reasoning))


def first_choice(document: Any, most: int | None = None) -> Mapping[str, Any] | None:
    """The choice with the least index, which need not stand first; none above ``most``."""
    choices = document.get("choices") if isinstance(document, Mapping) else None
    if not isinstance(choices, list):
        return None
    found = [each for each in choices if isinstance(each, Mapping)]
    indexed = [(_index(each), each) for each in found]
    if most is not None:
        indexed = [(index, each) for index, each in indexed if index <= most]
    return min(indexed, key=lambda pair: pair[0])[1] if indexed else None


def _index(choice: Mapping[str, Any]) -> int:
    index = choice.get("index")
    return index if type(index) is int else 0


def _said(choice: Mapping[str, Any], name: str, usage: TokenUsage) -> AssistantMessage:
    found = choice.get(name)
    if name == "message" and not isinstance(found, Mapping) and "text" not in choice:
        raise MalformedResponseError(f"its choice has no message ({preview(_some(choice))})", usage)
    try:
        if isinstance(found, Mapping):
            return read_message(found)
        return read_message({**choice, "content": choice.get("text")})  # plain completions
    except ValueError as error:
        raise MalformedResponseError(str(error), usage) from error


def _reason(choice: Mapping[str, Any]) -> str:
    reason = choice.get("finish_reason")
    return reason[:_SHOWN].lower() if isinstance(reason, str) else ""


def _usage_in(piece: Any) -> TokenUsage:
    usage = read_usage(piece)
    if not usage and isinstance(piece, Mapping) and isinstance(piece.get("x_groq"), Mapping):
        usage = read_usage(piece["x_groq"])
    return usage


def _paired(text: str) -> str:
    """The text with halves of characters put together, as streams may split them; else �."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _without_choices(document: Any, text: str, usage: TokenUsage) -> ReplyError:
    """Why a document holds no reply."""
    filtered = list(dict.fromkeys(filtered_categories(document)))
    if filtered:
        return WithheldError(
            f"a content filter refused the prompt or the reply ({', '.join(filtered)})", usage
        )
    told = ErrorMessage.from_document(document, text)
    if isinstance(document, Mapping) and ("detail" in document or "message" in document):
        return EmbeddedError(told, text, usage)
    return MalformedResponseError(_no_choices(text), usage)


def read_json(text: str) -> Any:
    """A document. Raises `ValueError` for one that says the same thing twice, and differently."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] is not value and found[name] != value:
                raise ValueError(f"{name[:_SHOWN]!r} stands in it twice")
    return found


def _some(document: Any) -> str:
    """The beginning of a document, as far as it can be written."""
    try:
        return json.dumps(document)[:_LONGEST]
    except RecursionError:
        return ""


def _no_choices(text: str) -> str:
    return f"its answer has no choices ({preview(text)})"


def _not_json(text: str) -> str:
    if is_page(text):
        return f"it answered with a web page, not JSON ({preview(text)}); is the URL right?"
    return f"its answer is no JSON ({preview(text)})"
