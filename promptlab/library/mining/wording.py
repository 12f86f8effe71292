"""The wording of a mined template: made uniform, judged, and compared with others."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MASK = "{mask}"
LOST_SLOT = "a slot lost"
MARKUP = "markup or braces"
NO_WORD = "no word"
TOO_LONG = "too many words"
OTHER_ENTITY = "another name within"
_MARKUP = re.compile(r"[][<>{}|\\^~*#]|https?:|www\.")
"""In a template these would be slots, control tokens or leftovers of a page."""
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))
"""Characters that nobody sees and that Persian and Hindi are written with."""
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset({"a", "an", "the"})


def normalise(text: str) -> str:
    """Make templates uniform that differ in white space or in the first letter's case.

    Args:
        text: A template.

    Returns:
        The template with single blanks; a word at its beginning has a capital.

    Example:
        >>> normalise("capital  of {country} is {mask}")
        'Capital of {country} is {mask}'
    """
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]


def similarity_key(text: str) -> str:
    """What near duplicates have in common: their words and slots without case and articles.

    Signs between the words count no more than articles do.

    Example:
        >>> similarity_key("{mask}, the capital of {country}")
        'mask capital of country'
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return " ".join(word for word in words if word not in _ARTICLES)


@dataclass(frozen=True)
class WordingFilter:
    """What a mined template must be like.

    Args:
        field: The field that stands for the subject.
        max_words: The most words beside the two slots.

    Example:
        >>> wanted = WordingFilter("x", 3)
        >>> wanted.fault("{x}, {mask}"), wanted.fault("{x} is {mask}")
        ('no word', None)
    """

    field: str
    max_words: int

    def fault(self, text: str) -> str | None:
        """Why a template is left out; ``None`` for one that stays."""
        if any(text.count(slot) != 1 for slot in (f"{{{self.field}}}", MASK)):
            return LOST_SLOT
        words = self.words(text)
        if _MARKUP.search(words) or not words.translate(_JOINERS).isprintable():
            return MARKUP
        count = len(_WORD.findall(words))
        if not any(map(str.isalpha, words)):
            return NO_WORD
        return TOO_LONG if count > self.max_words else None

    def words(self, text: str) -> str:
        """A template without its slots."""
        return text.replace(f"{{{self.field}}}", " ").replace(MASK, " ")


def is_answer_last(text: str) -> bool:
    """Whether nothing stands behind the slot, so that a causal model may write the answer."""
    return text.endswith(MASK)


def usable_models(text: str) -> str:
    """Which families of models can use a template, in words.

    Args:
        text: The template.

    Returns:
        A sentence; templates whose slot stands before the subject come with a caution.

    Example:
        >>> usable_models("{country} has the capital {mask}")
        'every family: masked and encoder-decoder models fill the slot, causal ones go on writing'
    """
    if is_answer_last(text):
        return (
            "every family: masked and encoder-decoder models fill the slot, causal ones go on "
            "writing"
        )
    return (
        "masked and encoder-decoder models fill the slot; a causal model cannot see what stands "
        "behind it: it scores given answers by the whole sentence from the slot on, and cannot "
        "write into it"
    )
