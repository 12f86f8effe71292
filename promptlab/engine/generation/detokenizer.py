"""Incremental detokenization: the text of tokens that come one by one, with stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from promptlab.prompts.parsers.hidden_reasoning import find_stop, is_reasoning_mark

INCOMPLETE_CHARACTER = "\ufffd"
"""Stands where a character's bytes are not complete yet."""


_SPECIAL: WeakKeyDictionary[Any, tuple[frozenset[int], frozenset[int]]] = WeakKeyDictionary()


def decode_reply(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The text of a reply's tokens without special ones, but with the marks around its reasoning.

    Some vocabularies have these among their special tokens; without them reasoning and answer
    could not be told apart.
    """
    if tokenizer not in _SPECIAL:
        added = tokenizer.added_tokens_decoder.items()
        special = frozenset(number for number, token in added if token.special)
        kept_ones = (n for n, token in added if token.special and is_reasoning_mark(token.content))
        _SPECIAL[tokenizer] = special, frozenset(kept_ones)
    special, marks = _SPECIAL[tokenizer]
    if marks.isdisjoint(tokens):
        return str(tokenizer.decode(list(tokens), skip_special_tokens=True))
    kept = [token for token in tokens if token in marks or token not in special]
    return str(tokenizer.decode(kept, skip_special_tokens=False))


class IncrementalDetokenizer:
    """The text of tokens that come one by one; every token costs the decoding of a few.

    Tokens are decoded together with the few before them, because a decoder treats the first
    token of a text in its own way. ``stopped`` says that one of ``stops`` stands in the text.
    ``opened``: the text begins within hidden reasoning.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str], *, opened: bool = False) -> None:
        self.tokenizer = tokenizer
        self.opened = opened
        self.stops = tuple(stops)
        self.text = ""
        self.stopped = False
        self._tokens: list[int] = []
        self._open = 0
        self._known = ""
        self._longest = max(map(len, self.stops), default=0)

    def add(self, token: int) -> None:
        """Take in the next token."""
        self._tokens.append(token)
        whole = self._decoded(self._tokens)
        new = whole[len(self._known) :].rstrip(INCOMPLETE_CHARACTER)
        tail = self.text[max(0, len(self.text) - self._longest) :] + new
        self.stopped = self.stopped or any(stop in tail for stop in self.stops)
        if new and not whole.endswith(INCOMPLETE_CHARACTER):
            self.text += new
            self._tokens = self._tokens[self._open :]
            self._open = len(self._tokens)
            self._known = self._decoded(self._tokens)

    @property
    def shown_text(self) -> str:
        """The text up to the first stop string, and without what may become one."""
        text = truncate_at_stop(self.text, self.stops, opened=self.opened)
        if text != self.text:
            return text
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self.stops):
                return text[:-length]
        return text

    def _decoded(self, tokens: Sequence[int]) -> str:
        return decode_reply(self.tokenizer, tokens)


def truncate_at_stop(text: str, stops: Sequence[str], *, opened: bool = False) -> str:
    """The text up to the first stop string that does not stand in hidden reasoning."""
    return text[: find_stop(text, stops, opened=opened)]
