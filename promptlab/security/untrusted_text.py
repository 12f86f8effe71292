"""Texts from outside, made fit for a terminal, a log, a file or a page.

Whatever an endpoint, a file, a library or a name says passes here before anybody sees it: secrets
are taken out, and characters that a terminal obeys or that nobody sees are written out.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from promptlab.security.redaction import hide_credentials, hide_secrets

LONGEST = 8_000
"""Characters of a message; what is longer is cut, and the cut is told."""
_MARGIN = 4_000
"""Characters that a secret has at most, however it is escaped."""
BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters that change the direction in which others are written."""
_CONTROLS = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f"
_UNSEEN = (
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2028\u2029\u2060-\u2065"
    "\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NO_CHARACTERS = "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(0x10000 * plane + 0xFFFE)}{chr(0x10000 * plane + 0xFFFF)}" for plane in range(1, 17)
)
_PRIVATE = "\U000f0000-\U000ffffd\U00100000-\U0010fffd"
_WRITTEN_OUT = re.compile(f"[{_CONTROLS}{BIDIRECTIONAL}{_UNSEEN}{_NO_CHARACTERS}{_PRIVATE}]")
_JOINERS = "\u200c\u200d"
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{9,}")
"""More marks on a letter than any writing has: they would cover the lines around it."""


def sanitize(text: str, *, lines: bool = True, longest: int | None = LONGEST) -> str:
    """A text from outside as it may be shown: without secrets, printable, not too long.

    With ``lines`` line ends and tabs stay; else they become ``⏎`` and a blank.
    """
    if longest is None or len(text) <= longest:
        return make_printable(hide_credentials(text), lines=lines)
    shown = make_printable(hide_credentials(text[: longest + _MARGIN]), lines=lines)
    if len(text) > longest + _MARGIN:  # a secret may have been cut there: the end is never shown
        shown = shown[: max(0, len(shown) - _MARGIN)]
    return _told_cut(shown[:longest], len(text))


def make_printable(text: str, *, lines: bool = True) -> str:
    r"""``text`` with what a terminal obeys or nobody sees written out, such as ``\x1b``.

    These are control and escape characters, those that change the direction of writing, those of no
    width, halves of characters, and codes that are no characters. The joiners that Persian, Hindi
    and pictures are written with stay where letters surround them.

    Args:
        text: A text from outside.
        lines: Whether line ends and tabs stay.

    Returns:
        The text as it may be shown.

    Example:
        >>> from promptlab.security.untrusted_text import make_printable
        >>> print(make_printable("red \x1b[31m alert"))
        red \x1b[31m alert
    """
    if not lines:
        text = text.replace("\r\n", "⏎").replace("\n", "⏎").replace("\t", " ")
    if text.isascii() and text.isprintable():
        return text
    return _MARKS.sub(_few_marks, _WRITTEN_OUT.sub(_written_out, text))


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON that reads back as ``value``, without secrets, and harmless when a terminal shows it.

    Letters stay what they are; characters that `make_printable` writes out are JSON's escapes.

    Args:
        value: JSON data.
        indent: Spaces of a level; none for one line.

    Returns:
        The text.

    Example:
        >>> from promptlab.security.untrusted_text import json_text
        >>> json_text({"name": "naïve"})
        '{"name": "naïve"}'
    """
    return clean_json(json.dumps(value, indent=indent, ensure_ascii=False))


def json_lines(values: Iterable[Any]) -> str:
    """JSON Lines of `json_text`.

    Args:
        values: JSON data, one value a line.

    Returns:
        The text; every line ends.

    Example:
        >>> from promptlab.security.untrusted_text import json_lines
        >>> json_lines([{"a": 1}, 2])
        '{"a": 1}\\n2\\n'
    """
    lines = (json.dumps(value, ensure_ascii=False) for value in values)
    return clean_json("".join(f"{line}\n" for line in lines))


def clean_json(text: str) -> str:
    """A JSON text that says the same without secrets, harmless when a terminal shows it."""
    text = hide_secrets(text)
    if text.isascii() and "\x7f" not in text:
        return text
    return _WRITTEN_OUT.sub(_json_escape, text)


def _told_cut(shown: str, length: int) -> str:
    """The beginning of a long text, and how much was left out."""
    return f"{shown}… ({length - len(shown):,} more characters)"


def _written_out(found: re.Match[str]) -> str:
    character = found[0]
    if character in _JOINERS and _joins(found.string, found.start()):
        return character
    return _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _joins(text: str, place: int) -> bool:
    """Whether a joiner stands between letters or pictures that are written with one."""
    around = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return len(around) == 2 and all(
        ord(each) > 0x2FF and unicodedata.category(each)[0] in "LMS" for each in around
    )


def _few_marks(found: re.Match[str]) -> str:
    return found[0][:8] + "".join(map(_escaped, found[0][8:]))


def _json_escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\n\r\t" or (character in _JOINERS and _joins(found.string, found.start())):
        return character
    return json.dumps(character)[1:-1]
