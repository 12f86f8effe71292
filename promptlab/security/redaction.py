"""Secrets taken out of texts, however an endpoint or a library repeats them."""

from __future__ import annotations

import base64
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

MARK = "***"
"""Stands where a secret stood."""

_NAMES = re.compile(
    r"(?:^|_)(?:API_?KEY|ACCESS_?KEY|SECRET_?KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE
)
"""Environment variables that hold a secret."""
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_BETWEEN = (
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\u034f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{0,8}"
)
"""What may stand between the letters of a secret and is not seen."""
_MASKED = r"(?:\*{2,80}|\u2026|\.{2,80}|\u2022{2,80}|x{4,80}|_{3,80})"
_ESCAPES = re.compile(
    r"%[0-9a-f]{2}|&#|\\[xu]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad]"
    "|[\u034f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]",
    re.IGNORECASE,
)
"""What a secret can be hidden with, so that it has to be looked for letter by letter."""
_USER = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,15}://)[^/\s@\"'<>]{1,300}@", re.IGNORECASE)
_BEARER = re.compile(
    r"\b(?P<word>bearer|basic)(?P<gap>[ \t:=]{1,8})(?=[^\s\d]{0,200}\d)[^\s\"'<>,;*]{8,}",
    re.IGNORECASE,
)
_KEY_LIKE = re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")

_lock = threading.Lock()
_kept: set[str] = set()


def keep_secret(value: str) -> None:
    """Take a value out of all texts from now on."""
    with _lock:
        _kept.add(value)


def hide_secrets(text: str) -> str:
    """``text`` without the secrets of this process, each replaced by ``***``.

    Secrets are what was given to `keep_secret` and what the environment's variables named as keys,
    tokens, passwords and proxies hold. They are found as they are, escaped for URLs, HTML and JSON,
    as base64 and hexadecimal digits, in other case, with invisible characters in them, masked in
    their midst, and cut down to half. A short or plain word that serves as a key of a local server
    (``EMPTY``, ``ollama``) is hidden after ``Bearer`` alone: texts may hold such a word by chance.
    """
    searches = [_search(secret) for secret in _secrets()]
    if not searches:
        return text
    lower, escaped = text.lower(), _ESCAPES.search(text) is not None
    searches = [search for search in searches if escaped or search.may_be_in(lower)]
    for search in searches:
        text = search.whole.sub(_marked, text)
    for search in searches:
        text = search.hide_pieces(text)
    return text


def hide_credentials(text: str) -> str:
    """`hide_secrets` for a text that is shown: also what only looks like a secret.

    User names and passwords in URLs, and what follows ``Bearer``, are hidden whosever they are.
    """
    text = hide_secrets(text)
    text = _USER.sub(rf"\g<scheme>{MARK}@", text)
    text = _BEARER.sub(rf"\g<word>\g<gap>{MARK}", text)
    return _KEY_LIKE.sub(MARK, text)


def hide_word(text: str, secret: str) -> str:
    """`hide_secrets`, and ``secret`` wherever it stands as a word of its own, however short."""
    word = rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])"
    return re.sub(word, MARK, hide_secrets(text))


def has_secret(text: str) -> bool:
    """Whether a text holds a whole secret of this process; words that serve as one do not count."""
    return any(_is_strong(each) and _search(each).whole.search(text) for each in _secrets())


def _secrets() -> list[str]:
    """All secrets, the longest first: one may be a part of another."""
    with _lock:
        found = set(_kept)
    for name, value in os.environ.items():
        if _NAMES.search(name):
            found.add(value.strip())
        elif name.lower() in _PROXIES:
            found.update(_passwords(value))
    return sorted(filter(None, found), key=lambda value: (-len(value), value))


def _passwords(url: str) -> Iterator[str]:
    """The password of a proxy; its user's name is none."""
    try:
        password = urlsplit(url if "://" in url else f"http://{url}").password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _is_strong(secret: str) -> bool:
    """Whether it cannot be a word of a text by chance."""
    return len(secret) >= 12 or (len(secret) >= 8 and any(c.isdigit() for c in secret))


@dataclass(frozen=True)
class _Search:
    """How a secret is looked for.

    ``parts`` are such that every text with half of it has one, ``signs`` such that every text with
    anything of it that is not escaped has one, in lower case.
    """

    secret: str
    whole: re.Pattern[str]
    masked: re.Pattern[str] | None
    parts: tuple[str, ...]
    signs: tuple[str, ...]

    def may_be_in(self, lower: str) -> bool:
        """Whether it is worth a search; quick, as nearly all texts hold none."""
        return any(sign in lower for sign in self.signs)

    def hide_pieces(self, text: str) -> str:
        """The text without what is left of it."""
        if self.masked is None:
            return text
        if self._is_in(text):
            text = self._without_halves(text)
        return self.masked.sub(self._unmasked, text)

    def _is_in(self, text: str) -> bool:
        return any(part in text for part in self.parts)

    def _without_halves(self, text: str) -> str:
        """Stretches of it that are half as long as it, or longer."""
        secret, size = self.secret, _half(self.secret)
        for start in range(len(secret) - size + 1):
            window = secret[start : start + size]
            place = text.find(window)
            while place >= 0:
                end, inside = place + size, start + size
                while end < len(text) and inside < len(secret) and text[end] == secret[inside]:
                    end, inside = end + 1, inside + 1
                text = text[:place] + MARK + text[end:]
                place = text.find(window, place + len(MARK))
        return text

    def _unmasked(self, found: re.Match[str]) -> str:
        """A secret of which the midst is masked, whole again or not, is hidden as a whole."""
        before, after = found["before"].lower(), found["after"].lower()
        secret = self.secret.lower()
        begins = len(before) >= 3 and secret.startswith(before)
        ends = len(after) >= 3 and secret.endswith(after)
        if (begins and (not after or ends)) or (ends and not before):
            return MARK
        return found[0]


@lru_cache(maxsize=64)
def _search(secret: str) -> _Search:
    if not _is_strong(secret):
        word = rf"(?P<kept>\b(?:bearer|basic)[\s:=]{{1,8}}){re.escape(secret)}(?![^\W_])"
        return _Search(secret, re.compile(word, re.IGNORECASE), None, (), (secret.lower(),))
    letters = _BETWEEN.join(_letter(character) for character in secret)
    encoded = sorted(_encoded(secret), key=len, reverse=True)
    forms = [letters, *map(re.escape, encoded)]
    size = _half(secret)
    step = (size + 1) // 2
    parts = [secret[place : place + step] for place in range(0, len(secret), step)]
    word = r"[A-Za-z0-9_\-+/=.]"
    first, last = re.escape(secret[:3]), re.escape(secret[-3:])
    masked = (
        rf"(?P<before>{first}[A-Za-z0-9_\-+/=]{{0,40}}?|(?<!{word})){_MASKED}"
        rf"(?P<after>[A-Za-z0-9_\-+/=]{{0,40}}{last}|(?!{word}))"
    )
    return _Search(
        secret,
        re.compile("|".join(forms), re.IGNORECASE),
        re.compile(masked, re.IGNORECASE),
        tuple(part for part in parts if len(part) == step),
        tuple({each.lower() for each in (secret[:3], secret[-3:], *parts, *encoded)}),
    )


def _half(secret: str) -> int:
    """The length of a piece that is hidden by itself."""
    return max(8, -(-len(secret) // 2))


def _marked(found: re.Match[str]) -> str:
    return found.groupdict().get("kept", "") + MARK


def _letter(character: str) -> str:
    """A pattern for a character as it is, or as URLs, HTML, JSON and Python escape it."""
    code = ord(character)
    octets = "".join(f"%(?:25){{0,3}}{octet:02x}" for octet in character.encode())
    return (
        rf"(?:\\{{0,4}}{re.escape(character)}|{octets}|&#0{{0,4}}{code};|&#x0{{0,4}}{code:x};|\\{{1,4}}u{code:04x}"
        rf"|\\{{1,4}}x{code:02x})"
    )


def _encoded(secret: str) -> set[str]:
    """The secret as hexadecimal digits, and as base64 with anything before and after it."""
    data = secret.encode()
    found = {data.hex()}
    for skipped in range(3):
        text = base64.b64encode(b"\0" * skipped + data).decode().rstrip("=")
        inner = text[(skipped * 8 + 5) // 6 : (skipped + len(data)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return found
