"""What a token of a slot stands for in the text: a word, or a piece glued to the word before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from promptlab.models.base import Fill
from promptlab.models.token_view import token_text
from promptlab.prompts.prompt import Prompt

_CONTINUED = "##"
_UNSPACED = 0x2E80
"""From this character on (Chinese, Japanese, Korean) words are not set apart by blanks."""


class TokenTexts:
    """The tokens of a vocabulary as text, and whether they go on with the word before them."""

    def __init__(self, tokenizer: Any, family: str) -> None:
        self.tokenizer = tokenizer
        backend = getattr(tokenizer, "backend_tokenizer", None)  # not there in Python's own ones
        decoder = type(getattr(backend, "decoder", None)).__name__
        self.word_pieces = decoder == "WordPiece"
        # A byte-level decoder's first token begins a text; </w> marks where words end.
        begins_a_text = family == "seq2seq" and decoder == "ByteLevel"
        self._marks_beginnings = not begins_a_text and decoder not in ("WordPiece", "BPEDecoder")
        self._special = frozenset(tokenizer.all_special_ids)
        self._known: dict[int, tuple[str, bool]] = {}

    def of(self, token: int) -> tuple[str, bool]:
        """The token's text, and whether it is glued to the word before it."""
        if token not in self._known:
            self._known[token] = self._read(token)
        return self._known[token]

    def _read(self, token: int) -> tuple[str, bool]:
        text = token_text(self.tokenizer, token)
        if token in self._special:
            return text, False
        if self.word_pieces:
            piece = str(self.tokenizer.convert_ids_to_tokens(token))
            return text, piece.startswith(_CONTINUED) and len(piece) > len(_CONTINUED)
        first = text[:1]
        return text, self._marks_beginnings and first.isalnum() and ord(first) < _UNSPACED


def ranked_fills(
    texts: TokenTexts, prompt: Prompt, row: Float[np.ndarray, " vocab"]
) -> Iterator[Fill]:
    """All tokens of the vocabulary at a slot, best first, from their log-probabilities in nats."""
    touching = prompt.left[-1:].isalnum() and not prompt.chat
    for token in np.argsort(-row, kind="stable"):
        yield _fill(texts, int(token), float(np.exp(row[token])), touching)


def can_stand(prompt: Prompt, fill: Fill) -> bool:
    """Whether a token can stand at the slot: a piece of a word cannot stand after a blank."""
    return prompt.chat or not (fill.continues_word and prompt.left[-1:].isspace())


def token_rank(
    texts: TokenTexts, prompt: Prompt, row: Float[np.ndarray, " vocab"], token: int
) -> int:
    """The place of a token among those that can stand at the slot, from 1."""
    better = np.flatnonzero(row > row[token])
    return 1 + sum(can_stand(prompt, _fill(texts, int(one), 0.0, False)) for one in better)


def _fill(texts: TokenTexts, token: int, probability: float, touching: bool) -> Fill:
    """A token as it would stand; ``touching`` a word, a whole word has a blank before it."""
    text, glued = texts.of(token)
    wide = touching and not glued and texts.word_pieces and text[:1].isalnum()
    return Fill(f" {text}" if wide else text, token, probability, glued)
