"""Token ids of words, with the special tokens that a tokenizer puts around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any

from promptlab.models.control_tokens import (
    Offsets,
    PlainTokenizer,
    control_ids,
    has_forged_controls,
    written_controls,
)
from promptlab.prompts.prompt import Text

Words = str | Text
"""Words to be tokenised; in a `Text`, what came from data is read without control tokens."""

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

    def encode_batch(self, texts: Sequence[Words]) -> list[tuple[int, ...]]:
        """Token ids of every text, no special tokens added."""
        return [ids for ids, _ in self._encoded(texts)]

    def encode(self, text: Words) -> tuple[int, ...]:
        """Token ids of one text; short ones are remembered."""
        return self._cached(text) if len(text) <= _REMEMBERED else self._single(text)

    def with_offsets(self, texts: Sequence[Words]) -> list[tuple[tuple[int, ...], Offsets]]:
        """Token ids of every text with the characters ``(start, end)`` each stands for."""
        return [
            (ids, list(found.offsets) if offsets is None else offsets)
            for ids, (found, offsets) in self._encoded(texts)
        ]

    def has_control_tokens(self, text: str) -> bool:
        """Whether control tokens are read in a text."""
        return not self.control_ids.isdisjoint(self.encode(text))

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """Ids of the tokens that command the model."""
        return control_ids(self.tokenizer)

    def token(self, token_id: int) -> str:
        """The text of one token."""
        return str(self.tokenizer.decode([token_id]))

    def _single(self, text: Words) -> tuple[int, ...]:
        return self.encode_batch([text])[0]

    @cached_property
    def _plain(self) -> PlainTokenizer:
        return PlainTokenizer(self.tokenizer, self.control_ids)

    def _encoded(
        self, texts: Sequence[Words]
    ) -> Iterator[tuple[tuple[int, ...], tuple[Any, Offsets | None]]]:
        """Ids of every text, and the tokenizer's own finding; offsets where these are others."""
        if not texts:
            return
        strings = [text.text if isinstance(text, Text) else text for text in texts]
        encoded = self.tokenizer(strings, add_special_tokens=False)
        for text, ids, found in zip(texts, encoded["input_ids"], encoded.encodings, strict=True):
            given = isinstance(text, Text) and bool(text.data_ranges)
            if not given or self.control_ids.isdisjoint(ids):
                yield tuple(ids), (found, None)
                continue
            assert isinstance(text, Text)
            if not has_forged_controls(ids, found.offsets, text, self.control_ids):
                yield tuple(ids), (found, None)
                continue
            kept = written_controls(ids, found.offsets, text, self.control_ids)
            other, offsets = self._plain.encode(text, kept)
            yield tuple(other), (found, offsets)
