"""The instruction in a writer's reply, without what the writer says about it."""

from __future__ import annotations

import re

_SUBJECT = (
    r"(?:(?:the|this|my|your|a)\s+)?(?:(?:new|better|improved|revised|original|given|possible)\s+)?"
    r"instructions?(?:\s+(?:that\s+)?(?:you\s+)?(?:(?:was|were|is)\s+)?"
    r"(?:provided|given|gave|used|followed))?"
)
_ANNOUNCEMENTS = (
    re.compile(rf"^(?:{_SUBJECT}\s+(?:is|was|were|asks?|says?|states?)(?:\s+you)?)\s+to\s+", re.I),
    re.compile(
        rf"^{_SUBJECT}(?:\s+(?:is|was|were|asks?|says?|states?|reads?))?\s*(?::\s*|$)", re.I
    ),
    re.compile(
        r"^(?:(?:sure|certainly|of course)[,.!]?\s+)?here(?:\s+is|'s)\s[^.!?:]{0,60}:\s*", re.I
    ),
    re.compile(r"^[AB]:\s+"),
)
"""What leads to the instruction; behind the first one it goes on in the same sentence."""
_QUOTES = {'"': '"', "“": "”", "'": "'", "`": "`"}
_COMMON_WORDS = 8
"""So many words in a row out of the request are a copy of it."""


def read_instruction(reply: str) -> str:
    """The instruction in a reply: its first paragraph without announcement, quotes and emphasis.

    Args:
        reply: What a writer wrote, its reasoning left out.

    Returns:
        The instruction on one line; empty where nothing but an announcement stands there.

    Example:
        >>> read_instruction('Instruction: "Name the mood."\\n\\nI hope that this helps!')
        'Name the mood.'
        >>> read_instruction("The instruction provided was to name the mood.")
        'Name the mood.'
    """
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", reply.strip()) if part.strip()]
    for paragraph in paragraphs[:2]:  # an announcement may have a paragraph of its own
        text = _without_announcement(" ".join(paragraph.strip("*# \n").split()))
        if text:
            return text
    return ""


def repeats_request(instruction: str, request: str) -> bool:
    """Whether an instruction holds a run of words of the request that asked for it.

    Args:
        instruction: As it was read.
        request: The request's own words, without the texts of its fields.

    Example:
        >>> repeats_request("Think of one that differs from all of these!",
        ...                 "Now think of one that differs from all of these, and write it.")
        True
    """
    words = re.findall(r"\w+", instruction.casefold())
    asked = " ".join(["", *re.findall(r"\w+", request.casefold()), ""])
    runs = (words[i : i + _COMMON_WORDS] for i in range(len(words) - _COMMON_WORDS + 1))
    return any(f" {' '.join(run)} " in asked for run in runs)


def _without_announcement(text: str) -> str:
    text = _unquoted(text)
    for number, pattern in enumerate(_ANNOUNCEMENTS):
        found = pattern.match(text)
        if found is not None:
            rest = _unquoted(text[found.end() :].strip("* "))
            return rest[:1].upper() + rest[1:] if number == 0 else rest
    return text


def _unquoted(text: str) -> str:
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    return text
