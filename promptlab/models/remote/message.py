"""What an assistant's message holds: its text, and all that is not its text, kept apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details")
"""Where servers put hidden reasoning beside the text; several may hold the same one."""
_CALLS = ("tool_calls", "function_call")


@dataclass(frozen=True)
class AssistantMessage:
    """A message, or a piece of one from a stream.

    ``text`` is what was said, ``refusal`` the words with which the model declined, ``reasoning``
    what it thought before it; ``calls`` says that it wants a tool to be called instead.
    """

    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    calls: bool = False


def read_message(message: Mapping[str, Any]) -> AssistantMessage:
    """The message in a JSON object. Raises `ValueError` for a content that is none."""
    text, refusal, thoughts, called = _content(message.get("content"))
    beside = next((found for name in _REASONING if (found := _words(message.get(name)))), "")
    declined = message.get("refusal")
    return AssistantMessage(
        text,
        declined if isinstance(declined, str) and declined else refusal,
        beside or thoughts,
        called or any(message.get(name) for name in _CALLS),
    )


def _content(content: Any) -> tuple[str, str, str, bool]:
    """Text, refusal and reasoning of a content, and whether it holds a call: texts and parts."""
    if content is None:
        return "", "", "", False
    if isinstance(content, str):
        return content, "", "", False
    parts = [content] if isinstance(content, Mapping) else content
    if not isinstance(parts, list) or not all(isinstance(part, str | Mapping) for part in parts):
        raise ValueError(f"its text is no text: {_beginning(content)}")
    texts, refusals, thoughts, called = [], [], [], False
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        named = part.get("type")
        kind = named.lower() if isinstance(named, str) and named else "text"
        if "refusal" in kind:
            refusals.append(_words(part))
        elif "reason" in kind or "think" in kind or "summary" in kind:
            thoughts.append(_words(part))
        elif "tool" in kind or "function" in kind:
            called = True
        elif kind.endswith("text"):
            texts.append(_words(part))
    return "".join(texts), "".join(refusals), "".join(thoughts), called


def _beginning(content: Any) -> str:
    try:
        return json.dumps(content)[:80]
    except RecursionError:
        return type(content).__name__


def _words(value: Any, depth: int = 0) -> str:
    """All words in what a server sends as a part: a text, a list of parts, or an object."""
    if isinstance(value, str):
        return value
    if depth > 8:
        return ""
    if isinstance(value, list):
        return "".join(_words(each, depth + 1) for each in value)
    if isinstance(value, Mapping):
        names = ("text", "value", "thinking", "refusal", "reasoning", "summary", "content")
        return next((found for n in names if (found := _words(value.get(n), depth + 1))), "")
    return ""
