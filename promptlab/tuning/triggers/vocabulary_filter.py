"""Which vocabulary entries may stand in a trigger or be a label word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from promptlab.models.encoding import Encoding

RARE = "xqzjvkwybgpfcmudhlnsroitae"
"""Letters, those first that seldom merge with what follows them."""
CARRIERS = 4
"""A piece that continues a word is tried after so many words of one letter."""


class TokenFilter:
    """What the vocabulary's entries are when read as text.

    ``vocabulary`` is the number of rows of the model's embedding, which may be more than the
    tokenizer has tokens. An entry is *sound* if it can be read and written: not special, not
    unused, no part of a character, printable, and encoded as itself when its text stands alone or
    after a word.
    """

    def __init__(self, encoding: Encoding, vocabulary: int) -> None:
        self.encoding = encoding
        self.vocabulary = vocabulary
        tokenizer = encoding.tokenizer
        self.ids = range(min(vocabulary, len(tokenizer)))
        self.texts = [encoding.token(token) for token in self.ids]
        special = set(tokenizer.all_special_ids)
        added = tokenizer.added_tokens_decoder
        special |= {token for token, content in added.items() if content.special}
        readable = [
            token not in special and text.isprintable() and bool(text.strip())
            for token, text in zip(self.ids, self.texts, strict=True)
        ]
        alone = [
            ids == (i,) for i, ids in zip(self.ids, encoding.encode_batch(self.texts), strict=True)
        ]
        carriers = self._carriers(alone)
        self.carried = self._carried(carriers[0]) if carriers else self.texts
        self.sound = self._array(readable) & self._going_on(self._array(alone), carriers)

    def allowed(
        self,
        *,
        answers: Sequence[str] = (),
        capitalised: bool = True,
        whole_words: bool = False,
    ) -> Bool[np.ndarray, " vocab"]:
        """Sound entries that are not among the answers' tokens or words, whatever their case.

        Without ``capitalised`` entries that begin with a capital are left out (most are names);
        with ``whole_words`` only those made of letters that begin a word stay.
        """
        chosen: Bool[np.ndarray, " vocab"] = self.sound & ~self._of_answers(answers)
        if not capitalised:
            chosen = chosen & ~self._array([text.strip()[:1].isupper() for text in self.texts])
        if whole_words:
            chosen = chosen & self._array(
                [text[:1] == " " and text[1:].isalpha() for text in self.carried]
            )
        return chosen

    def _of_answers(self, answers: Sequence[str]) -> Bool[np.ndarray, " vocab"]:
        words = {answer.strip().casefold() for answer in answers}
        words |= {part for answer in words for part in answer.split()}
        written = [form for answer in answers for form in (answer.strip(), f" {answer.strip()}")]
        tokens = {token for ids in self.encoding.encode_batch(written) for token in ids}
        return self._array(
            [
                token in tokens or text.strip().casefold() in words
                for token, text in zip(self.ids, self.texts, strict=True)
            ]
        )

    def _carriers(self, alone: Sequence[bool]) -> list[int]:
        """Entries that are a word of few letters, and encoded as themselves."""
        words = [
            token for token in self.ids if alone[token] and self.texts[token].strip().isalpha()
        ]

        def rank(token: int) -> tuple[int, int]:
            text = self.texts[token].strip()
            return len(text), RARE.find(text[0]) % len(RARE)

        return sorted(words, key=rank)[:CARRIERS]

    def _carried(self, carrier: int) -> list[str]:
        """What every entry adds to the text of ``carrier``."""
        decode = self.encoding.tokenizer.decode
        start = len(decode([carrier]))
        return [decode([carrier, token])[start:] for token in self.ids]

    def _going_on(
        self, found: Bool[np.ndarray, " vocab"], carriers: Sequence[int]
    ) -> Bool[np.ndarray, " vocab"]:
        """``found``, and those entries that are encoded as themselves after a carrier."""
        found = found.copy()
        for carrier in carriers:
            rows = [(carrier, token) for token in self.ids if not found[token]]
            texts = [self.encoding.tokenizer.decode(row) for row in rows]
            for row, ids in zip(rows, self.encoding.encode_batch(texts), strict=True):
                found[row[1]] = ids == row
        return found

    def _array(self, chosen: Sequence[bool]) -> Bool[np.ndarray, " vocab"]:
        return np.pad(np.array(chosen, dtype=bool), (0, self.vocabulary - len(chosen)))
