"""Examples that are the same text: found, counted and told.

Two examples are the same text when all their fields agree up to case, white space and the ways in
which Unicode writes one character (composed or not, full width, ligatures, invisible marks).
Raised and lowered digits stay what they are: ``2²`` is not ``22``. Labels do not count: a text that
stands under two labels is one text with contradictory labels.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from promptlab.data.example import Example

_MOST_SHOWN = 3
_SHOWN_CHARACTERS = 60
_MEANINGFUL = ("<super>", "<sub>", "<fraction>", "<circle>", "<square>")
"""Compatibility forms that say something else than the plain characters they decompose into."""


def text_key(example: Example) -> str:
    """What makes two examples the same text: their fields, normalised, whatever their labels.

    Example:
        >>> text_key(Example("1", {"text": "Ｇood  film"})) == text_key(
        ...     Example("2", {"text": "good film"}, "positive")
        ... )
        True
    """
    parts = (f"{name}\x1e{normalize_text(text)}" for name, text in sorted(example.fields.items()))
    return "\x1f".join(parts)


def text_numbers(examples: Iterable[Example]) -> list[int]:
    """For each example the number of its text, from 0 in order of first appearance.

    Equal numbers are copies, so the numbers are the clusters of a test that counts a text once.
    """
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text_key(example), len(numbers)) for example in examples]


@dataclass(frozen=True)
class DuplicateTexts:
    """The texts that stand more than once among ``rows`` examples.

    ``groups`` are their copies, the commonest text first; ``distinct`` counts all different texts;
    ``contradictions`` are the groups whose copies have different labels.
    """

    rows: int
    distinct: int
    groups: tuple[tuple[Example, ...], ...]

    @property
    def extra(self) -> int:
        """How many examples are copies of an earlier one."""
        return self.rows - self.distinct

    @property
    def contradictions(self) -> tuple[tuple[Example, ...], ...]:
        """Groups whose copies have different labels."""
        return tuple(group for group in self.groups if len({e.label for e in group}) > 1)

    def remarks(self) -> list[str]:
        """What a reader has to know, a sentence each: copies, and contradictory labels."""
        found = []
        if self.groups:
            found.append(
                f"{self.extra:,} of {self.rows:,} examples repeat the text of another one "
                f"({self.distinct:,} different texts): {_shown(self.groups, _shown_group)}. Copies "
                "stay in one split, and tests and intervals count a text once"
            )
        if self.contradictions:
            count = len(self.contradictions)
            found.append(
                f"{count:,} {'text has' if count == 1 else 'texts have'} contradictory labels: "
                f"{_shown(self.contradictions, _shown_labels)}. No prompt can be right about all "
                "copies; correct the labels or remove the rows"
            )
        return found

    def row(self) -> dict[str, object]:
        """As JSON data."""
        return {
            "rows": self.rows,
            "distinct": self.distinct,
            "repeated": [
                {"text": _text(group[0]), "ids": [e.id for e in group]} for group in self.groups
            ],
            "contradictory": [
                {"text": _text(group[0]), "labels": {e.id: e.label for e in group}}
                for group in self.contradictions
            ],
        }


def find_duplicates(examples: Iterable[Example]) -> DuplicateTexts:
    """The texts that stand more than once among ``examples``."""
    found: defaultdict[str, list[Example]] = defaultdict(list)
    rows = 0
    for example in examples:
        found[text_key(example)].append(example)
        rows += 1
    groups = sorted((tuple(g) for g in found.values() if len(g) > 1), key=len, reverse=True)
    return DuplicateTexts(rows, len(found), tuple(groups))


@lru_cache(maxsize=1 << 15)
def normalize_text(text: str) -> str:
    """A text without case, runs of white space and the ways in which Unicode writes characters."""
    if text.isascii():
        return " ".join(text.lower().split())
    plain = "".join(map(_plain_character, unicodedata.normalize("NFC", text)))
    folded = unicodedata.normalize("NFC", plain.casefold())
    return " ".join(folded.split())


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    """The character without the way it is written; nothing for invisible marks."""
    if unicodedata.category(character) == "Cf":
        return ""
    form = unicodedata.decomposition(character).partition(" ")[0]
    if not form.startswith("<") or form in _MEANINGFUL:
        return character
    return unicodedata.normalize("NFKC", character)


def _text(example: Example) -> str:
    return " | ".join(example.fields.values())


def _quoted(example: Example) -> str:
    text = " ".join(_text(example).split())
    cut = len(text) > _SHOWN_CHARACTERS
    return repr(f"{text[: _SHOWN_CHARACTERS - 1]}…" if cut else text)


def _shown(
    groups: tuple[tuple[Example, ...], ...], show: Callable[[tuple[Example, ...]], str]
) -> str:
    more = f"; and {len(groups) - _MOST_SHOWN:,} more" if len(groups) > _MOST_SHOWN else ""
    return "; ".join(map(show, groups[:_MOST_SHOWN])) + more


def _shown_group(group: tuple[Example, ...]) -> str:
    return f"{_quoted(group[0])} stands {len(group)} times ({_ids([e.id for e in group])})"


def _shown_labels(group: tuple[Example, ...]) -> str:
    ids: defaultdict[str | None, list[str]] = defaultdict(list)
    for example in group:
        ids[example.label].append(example.id)
    told = ", ".join(f"{label} ({_ids(members)})" for label, members in ids.items())
    return f"{_quoted(group[0])} is {told}"


def _ids(ids: list[str]) -> str:
    return ", ".join(ids[:_MOST_SHOWN]) + (", …" if len(ids) > _MOST_SHOWN else "")
