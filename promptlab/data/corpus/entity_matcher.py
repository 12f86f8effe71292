"""Names of many entities found in texts in one pass."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_WITHOUT_BLANKS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: writings that set no blanks between words."""
TOKEN = re.compile(rf"[{_WITHOUT_BLANKS}]|[^\W{_WITHOUT_BLANKS}]+|[^\w\s]")
"""Words and signs; of writings without blanks every character."""


class EntityMention(NamedTuple):
    """Where a text names an entity: its number, first character, and the one behind the last."""

    entity: int
    start: int
    stop: int


class EntityMatcher:
    """Finds whole words alone, the longest name at each place, no two that overlap.

    A name inside of a longer one is therefore not found: *Mexico City* does not name *Mexico*.
    Curly apostrophes are straight ones.

    Args:
        names: The names; those that differ in white space alone are one entity.
        ignore_case: Whether capitals and small letters are the same.

    Example:
        >>> matcher = EntityMatcher(["Mexico", "Mexico City"])
        >>> [tuple(found) for found in matcher.find("Mexico City is the capital of Mexico.")]
        [(1, 0, 11), (0, 30, 36)]
    """

    def __init__(self, names: Sequence[str], *, ignore_case: bool = False) -> None:
        self.ignore_case = ignore_case
        known: dict[tuple[str, ...], int] = {}
        self.ids = [known.setdefault(self.key(name), number) for number, name in enumerate(names)]
        """The entity of each name: the number of the first name that is the same."""
        self._by_first: dict[str, list[tuple[tuple[str, ...], int]]] = {}
        for key, entity in sorted(known.items(), key=lambda item: -len(item[0])):
            if key:
                self._by_first.setdefault(key[0], []).append((key, entity))

    def key(self, name: str) -> tuple[str, ...]:
        """The words by which a name is found; none for a name without any."""
        return tuple(self._tokens(_straight(unicodedata.normalize("NFC", name))))

    def find(self, text: str) -> list[EntityMention]:
        """The mentions in a text that is NFC-normalised, in their order."""
        tokens = self._tokens(_straight(text))
        if self._by_first.keys().isdisjoint(tokens):
            return []
        places = [match.span() for match in TOKEN.finditer(text)]
        found = []
        position = 0
        while position < len(tokens):
            for key, entity in self._by_first.get(tokens[position], ()):
                end = position + len(key)
                if tuple(tokens[position:end]) == key and _ends_word(text, places[end - 1][1]):
                    start = places[position][0]
                    found.append(EntityMention(entity, start, places[end - 1][1]))
                    position = end
                    break
            else:
                position += 1
        return found

    def _tokens(self, text: str) -> list[str]:
        tokens: list[str] = TOKEN.findall(text)
        return [token.casefold() for token in tokens] if self.ignore_case else tokens


def _straight(text: str) -> str:
    """The text with straight apostrophes, no character longer or shorter."""
    return text.replace("\u2019", "'")


def _ends_word(text: str, stop: int) -> bool:
    """Whether no mark of the last letter follows, as vowels do in Indian writings."""
    return stop >= len(text) or not unicodedata.category(text[stop]).startswith("M")
