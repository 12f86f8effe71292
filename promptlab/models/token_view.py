"""What a model reads of a prompt, token by token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from promptlab.models.encoding import Encoding
from promptlab.prompts.prompt import CharacterRange, Text

TokenKind = Literal["special", "chat", "text", "slot", "soft", "trigger", "prefix"]


@dataclass(frozen=True)
class Token:
    """A token of a prompt as a model reads it, or a place for one; `LanguageModel.tokens`.

    Args:
        text: What a reader sees; bytes that are no whole character stand as ``\\xe2``.
        id: Its number in the vocabulary; ``None`` at a causal model's slot, for soft and trigger
            tokens that nothing has learned yet, and for a prefix that only the layers see.
        kind: Where it comes from: the tokenizer (*special*), the *chat* template, the *text*, the
            *slot*, or a learned segment (*soft*, *trigger*, *prefix*).
        place: First and last character (exclusive) of ``str(prompt)`` that it stands for, if any.
        read: ``False`` for what comes after the slot of a model that reads from left to right.

    Example:
        >>> prompt = pl.Template("It was {mask}.").render({})
        >>> [(token.text, token.kind) for token in model.tokens(prompt)][:3]
        [('[CLS]', 'special'), ('it', 'text'), ('was', 'text')]
    """

    text: str
    id: int | None
    kind: TokenKind
    place: CharacterRange | None = None
    read: bool = True


@dataclass(frozen=True)
class TextRun:
    """Words of one kind; ``shown`` is where they begin in ``str(prompt)``."""

    words: Text
    kind: TokenKind
    shown: int | None = None

    @property
    def text(self) -> str:
        """The words alone."""
        return self.words.text


@dataclass(frozen=True)
class LearnedRun:
    """A soft or trigger segment; ``ids`` are ``None`` while nothing has learned them."""

    kind: TokenKind
    ids: tuple[int | None, ...]
    place: CharacterRange


Part = tuple[TextRun, ...] | LearnedRun
"""Words that are tokenised as one string, or a learned segment."""


@dataclass(frozen=True)
class PromptLayout:
    """A prompt as `EncodedSides` cuts it, every piece with its kind and place."""

    before: tuple[Part, ...]
    left: tuple[TextRun, ...]
    slot: CharacterRange
    right: tuple[TextRun, ...]
    after: tuple[Part, ...]

    @classmethod
    def of(cls, left: Sequence[Part], slot: CharacterRange, right: Sequence[Part]) -> PromptLayout:
        """The words next to the slot apart from what lies beyond a learned segment."""
        last = max((i for i, part in enumerate(left) if isinstance(part, LearnedRun)), default=-1)
        first = next(
            (i for i, part in enumerate(right) if isinstance(part, LearnedRun)), len(right)
        )
        near = _runs(right[:first])
        if first < len(right):
            near = strip_end(near)
        return cls(
            tuple(left[: last + 1]), _runs(left[last + 1 :]), slot, near, tuple(right[first:])
        )


def _runs(parts: Sequence[Part]) -> tuple[TextRun, ...]:
    return tuple(run for part in parts if not isinstance(part, LearnedRun) for run in part)


def strip_end(runs: Sequence[TextRun]) -> tuple[TextRun, ...]:
    """The runs without the white space at their end."""
    kept = list(runs)
    while kept:
        run = kept.pop()
        if len(words := run.words.rstrip()):
            return (*kept, TextRun(words, run.kind, run.shown))
    return ()


class TokenView:
    """Turns runs and learned segments into tokens, as a tokenizer reads them."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.tokenizer = encoding.tokenizer
        self._special = frozenset(self.tokenizer.all_special_ids)
        self._texts: dict[int, str] = {}

    def special(self, ids: Sequence[int]) -> list[Token]:
        """Special tokens that stand around a text."""
        return [Token(self._text(i), i, "special") for i in ids]

    def prefix(self, ids: Sequence[int | None]) -> list[Token]:
        """A learned prefix."""
        return [Token(f"prefix {n}", i, "prefix") for n, i in enumerate(ids, 1)]

    def parts(self, parts: Sequence[Part], *, read: bool = True) -> list[Token]:
        """Words and learned segments; white space before a learned segment is left out."""
        found: list[Token] = []
        for index, part in enumerate(parts):
            if isinstance(part, LearnedRun):
                found.extend(self._learned(part, read))
            else:
                ends = index + 1 < len(parts)
                found.extend(self.words(strip_end(part) if ends else part, read=read))
        return found

    def words(self, runs: Sequence[TextRun], *, read: bool = True) -> list[Token]:
        """The tokens of runs that are tokenised as one string."""
        text = Text.join(run.words for run in runs)
        if not len(text):
            return []
        ids, offsets = self.encoding.with_offsets([text])[0]
        ends = _ends(runs)
        found, at = [], 0
        for token, (start, end) in zip(ids, offsets, strict=True):
            while at + 1 < len(runs) and ends[at] <= max(start, end - 1):
                at += 1
            run, begins = runs[at], ends[at] - len(runs[at].text)
            kind = "special" if token in self._special and run.kind != "slot" else run.kind
            place = _place(run, start - begins, end - begins)
            found.append(Token(self._text(token), token, kind, place, read))
        return found

    def _learned(self, part: LearnedRun, read: bool) -> Iterator[Token]:
        for number, token in enumerate(part.ids, 1):
            known = part.kind == "trigger" and token is not None
            text = self._text(token) if known and token is not None else f"{part.kind} {number}"
            yield Token(text, token, part.kind, part.place, read)

    def _text(self, token: int) -> str:
        if token not in self._texts:
            self._texts[token] = token_text(self.tokenizer, token)
        return self._texts[token]


def _ends(runs: Sequence[TextRun]) -> list[int]:
    """Where the runs end in their joined text."""
    ends, end = [], 0
    for run in runs:
        end += len(run.text)
        ends.append(end)
    return ends


def _place(run: TextRun, start: int, end: int) -> CharacterRange | None:
    """Characters of a run in the shown prompt."""
    if run.shown is None:
        return None
    if run.kind == "slot":
        return (run.shown, run.shown + len("{mask}"))
    return (run.shown + max(start, 0), run.shown + min(end, len(run.text)))


_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_WORD_START = "\u2581"
_UNKNOWN = "\ufffd"
_CONTINUED = "##"


def token_text(tokenizer: Any, token: int) -> str:
    """A token as a reader sees it; bytes that are no whole character stand as ``\\xe2``."""
    piece = tokenizer.convert_ids_to_tokens(token)
    if piece is None:  # padding of the vocabulary
        return f"[{token}]"
    if token in tokenizer.all_special_ids:
        return str(piece)
    if match := _BYTE.fullmatch(piece):
        return _decoded(bytes.fromhex(match[1]))
    if _WORD_START in piece:
        return str(piece.replace(_WORD_START, " "))
    text = str(tokenizer.decode([token], clean_up_tokenization_spaces=False))
    if _UNKNOWN in text and (raw := _raw(piece)) is not None:
        return _decoded(raw)
    if piece.startswith(_CONTINUED) and text == piece and len(piece) > len(_CONTINUED):
        return text if _byte_level(tokenizer) else text.removeprefix(_CONTINUED)
    return text


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")


def _raw(piece: str) -> bytes | None:
    """The bytes of a byte-level piece; ``None`` if it is none."""
    bytes_of = _byte_letters()
    if not all(letter in bytes_of for letter in piece):
        return None
    return bytes(bytes_of[letter] for letter in piece)


def _byte_level(tokenizer: Any) -> bool:
    return type(tokenizer.backend_tokenizer.decoder).__name__ != "WordPiece"


@lru_cache(maxsize=1)
def _byte_letters() -> dict[str, int]:
    """Letters for bytes in byte-level vocabularies: themselves where printable, else from U+0100.

    As in GPT-2 (Radford et al. 2019).
    """
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in own]
    letters = {chr(byte): byte for byte in own}
    return letters | {chr(256 + number): byte for number, byte in enumerate(rest)}
