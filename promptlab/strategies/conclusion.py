"""Where a reasoning says its answer, and what that is."""

from __future__ import annotations

import re

from promptlab.parser import NumberParser, Parser

_BRACKETS = re.compile(r"\s*\([^()]*\)")
_ADVERB = re.compile(r"^(?:therefore|thus|hence|so)\b,?\s*", re.IGNORECASE)


def unbracketed(extraction: str) -> str:
    """An extraction text without what stands in brackets, such as "(arabic numerals)"."""
    return _BRACKETS.sub("", extraction)


def parted(reply: str, extraction: str) -> tuple[str, str | None]:
    """The reasoning, and what follows the last "the answer is" in it, if it says so.

    The phrase is ``extraction`` without a leading "Therefore," and without brackets, in any case.
    """
    phrase = _ADVERB.sub("", unbracketed(extraction)).strip().rstrip(":")
    if not phrase:
        return reply, None
    pattern = r"\s+".join(re.escape(word) for word in phrase.split())
    pattern = rf"(?:\b(?:therefore|thus|hence|so)\b,?\s+)?\b{pattern}:?"
    found = list(re.finditer(pattern, reply, re.IGNORECASE))
    if not found or not reply[found[-1].end() :].strip():
        return reply, None
    return reply[: found[-1].start()], reply[found[-1].end() :]


def concluded(text: str, parser: Parser) -> str | None:
    """The answer in a conclusion: its first line, of a number its first sentence."""
    if isinstance(parser, NumberParser):
        return parser.parse(f"Answer: {text.strip()}")
    line = next((line for line in text.splitlines() if line.strip()), "")
    found = (parser.parse(part) for part in (line, text))
    return next((answer for answer in found if answer is not None), None)
