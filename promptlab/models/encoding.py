"""Token ids of words, with the special tokens that a tokenizer puts around them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Offsets = list[tuple[int, int]]


_REMEMBERED = 2000
"""Texts of more characters are not kept: answers and templates are short, documents are not."""


class Encoding:
    """A fast tokenizer with its surrounding special tokens told apart.

    ``before`` and ``after`` are the special token ids that stand around a text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        full = tokenizer("a")["input_ids"]
        start = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        self.before = tuple(full[:start])
        self.after = tuple(full[start + len(bare) :])
        self._cached = lru_cache(maxsize=4096)(self._single)

    def ids(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of every text, no special tokens added."""
        if not texts:
            return []
        encoded = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [tuple(row) for row in encoded]

    def one(self, text: str) -> tuple[int, ...]:
        """Token ids of one text; short ones are remembered."""
        return self._cached(text) if len(text) <= _REMEMBERED else self._single(text)

    def with_offsets(self, texts: Sequence[str]) -> list[tuple[tuple[int, ...], Offsets]]:
        """Token ids of every text with the characters ``(start, end)`` each stands for."""
        encoded = self.tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
        return [
            (tuple(row), list(offsets))
            for row, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]

    def token(self, token_id: int) -> str:
        """The text of one token."""
        return str(self.tokenizer.decode([token_id]))

    def _single(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])
