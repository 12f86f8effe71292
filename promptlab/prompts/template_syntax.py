"""The grammar of plain templates: ``{text}``, ``{mask}``, ``{soft:20 "init"}``, ``{trigger:5}``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptlab.errors import TemplateError
from promptlab.prompts.prompt import Segment, Slot, Soft, Text, Trigger


@dataclass(frozen=True)
class Field:
    """A field of the example; ``position`` is where it stands in the template's text."""

    name: str
    position: int


Piece = Segment | Field

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SOFT = re.compile(r'soft:(\d+)(?:\s*#([A-Za-z0-9_-]+))?(?:\s+"([^"]*)")?')
_TRIGGER = re.compile(r"trigger:(\d+)")


MAX_LEARNED_TOKENS = 10_000
"""Learned tokens of a prompt: every one becomes a vector, whatever the model can read."""
_MOST_DIGITS = 20


def parse_template(text: str) -> tuple[Piece, ...]:
    """Split a plain template into text, fields, slot, soft and trigger pieces.

    ``\\{`` and ``\\}`` stand for literal braces. Raises `TemplateError` with a caret under the
    fault.
    """
    pieces: list[Piece] = []
    words: list[str] = []
    position = 0

    def flush() -> None:
        if words:
            pieces.append(Text("".join(words)))
            words.clear()

    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("{", "}"):
            words.append(text[position + 1])
            position += 2
        elif character == "{":
            end = text.find("}", position)
            if end < 0:
                raise TemplateError("this brace is never closed", text=text, position=position)
            flush()
            pieces.append(_piece(text, position, text[position + 1 : end]))
            position = end + 1
        elif character == "}":
            raise TemplateError(
                "this brace was never opened; write \\} for a literal one",
                text=text,
                position=position,
            )
        else:
            words.append(character)
            position += 1
    flush()
    return tuple(pieces)


def _piece(text: str, position: int, content: str) -> Piece:
    """The piece that the braces at ``position`` stand for."""
    content = content.strip()
    if content == "mask":
        return Slot()
    if match := _SOFT.fullmatch(content):
        count, name, init = match.groups()
        return Soft(_count(text, position, count), init=init, id=name)
    if match := _TRIGGER.fullmatch(content):
        return Trigger(_count(text, position, match[1]))
    if _NAME.fullmatch(content):
        return Field(content, position)
    raise TemplateError(
        f"{{{content}}} is not a field name, {{mask}}, {{soft:N}} or {{trigger:N}}; "
        "write \\{ for a literal brace",
        text=text,
        position=position,
    )


def _count(text: str, position: int, digits: str) -> int:
    count = int(digits[:_MOST_DIGITS])
    if count < 1:
        raise TemplateError("at least one token is needed here", text=text, position=position)
    if count > MAX_LEARNED_TOKENS or len(digits) > _MOST_DIGITS:
        raise TemplateError(
            f"at most {MAX_LEARNED_TOKENS:,} tokens can stand in one place",
            text=text,
            position=position,
        )
    return count
