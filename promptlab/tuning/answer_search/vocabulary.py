"""The words that a model can write into a slot as one token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt, Text
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

MIN_LETTERS = 2
"""Shorter words say little to a reader (Schick et al. 2020 leave them out, too)."""


@dataclass(frozen=True)
class SlotVocabulary:
    """Words, and for each the one token that it is at the slot.

    Args:
        words: The words as text, each once.
        tokens: Their tokens.
    """

    words: tuple[str, ...]
    tokens: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.words)


def find_slot_vocabulary(
    model: LocalModel, prompt: Prompt, tokens: TokenFilter, *, capitalised: bool = False
) -> SlotVocabulary:
    """The whole, readable words that are one token at the slot of a prompt.

    A word begins a word in this vocabulary, is made of letters, at least `MIN_LETTERS` of them,
    and is what the tokenizer makes of its text where the slot stands: after a blank, a colon or a
    line break these are different tokens.

    Args:
        model: Whose vocabulary it is.
        prompt: A prompt of the template; the shorter, the quicker.
        tokens: What the vocabulary's entries are as text.
        capitalised: Whether words with capitals are taken beside those without; they are where
            the vocabulary has no others.

    Returns:
        The words in the order of the vocabulary.

    Raises:
        InputError: When there is none.
    """
    chosen = np.flatnonzero(tokens.allowed(whole_words=True))
    texts = list(dict.fromkeys(tokens.texts[int(i)].strip() for i in chosen))
    texts = [text for text in texts if text.isalpha() and len(text) >= MIN_LETTERS]
    found = {
        text: token
        for text, token in zip(texts, tokens_at_slot(model, prompt, texts), strict=True)
        if token is not None and token != model.unknown
    }
    if not capitalised:
        found = {t: i for t, i in found.items() if t == t.lower()} or found
    once: dict[int, str] = {}
    for text, token in found.items():  # an uncased model reads Good and good as one
        once.setdefault(token, text)
    if not once:
        raise InputError(
            f"{model.name} has no words of letters that are one token at the slot; end the text "
            "before {mask} with a space, or write the answers yourself"
        )
    return SlotVocabulary(tuple(once.values()), tuple(once))


def tokens_at_slot(model: LocalModel, prompt: Prompt, words: Sequence[str]) -> list[int | None]:
    """The one token that each word is at the slot; None for a word of several."""
    left = model.encode_sides(prompt).left
    if model.family != "causal":
        spaced = model.family == "masked" and left.text[-1:].isspace()
        encoded = model.encoding.encode_batch([f" {w}" if spaced else w for w in words])
        return [ids[0] if len(ids) == 1 else None for ids in encoded]
    # A causal model's answer is cut into tokens together with the text before it.
    base = model.encoding.encode(left if prompt.chat else left.rstrip())
    whole = model.encoding.encode_batch([left + Text(word) for word in words])
    return [ids[-1] if len(ids) == len(base) + 1 and ids[:-1] == base else None for ids in whole]
