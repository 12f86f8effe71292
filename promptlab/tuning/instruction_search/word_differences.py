"""In which words two instructions differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_ALIKE = 0.4
"""Texts with less in common are shown one after the other."""


@dataclass(frozen=True)
class WordDifference:
    """A run of words of one text and what stands in its place in the other; either may be empty.

    Example:
        >>> print(WordDifference("the mood", "how it feels"))
        "the mood" against "how it feels"
    """

    first: str
    second: str

    def __str__(self) -> str:
        return f'"{self.first}" against "{self.second}"'


def word_differences(first: str, second: str) -> list[WordDifference]:
    """The runs of words that differ, in their order: what differential evolution takes.

    Where numbers have a difference of vectors, texts have their differing words (Guo et al. 2024,
    EvoPrompt, section 3.3). Case and the marks at the ends of words do not count.

    Args:
        first: A text.
        second: Another one.

    Returns:
        What differs; nothing for texts of the same words.

    Example:
        >>> for found in word_differences("Sum the review up.", "Name the mood of the review."):
        ...     print(found)
        "Sum" against "Name the mood of"
        "up." against ""
    """
    one, other = first.split(), second.split()
    matcher = SequenceMatcher(a=_plain(one), b=_plain(other), autojunk=False)
    return [
        WordDifference(" ".join(one[a:b]), " ".join(other[c:d]))
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]


@dataclass(frozen=True)
class WordChange:
    """A run of words that stands in both texts, or in one of them alone.

    Example:
        >>> WordChange("added", "carefully").kind
        'added'
    """

    kind: Literal["kept", "removed", "added"]
    text: str


def word_changes(before: str, after: str) -> list[WordChange]:
    """How one text becomes the other, word by word.

    Args:
        before: The earlier text.
        after: The later one.

    Returns:
        All words of both, in the order of the later text; of texts with little in common the whole
        earlier one, then the whole later one.

    Example:
        >>> [(one.kind, one.text) for one in word_changes("Name it.", "Name the mood.")]
        [('kept', 'Name'), ('removed', 'it.'), ('added', 'the mood.')]
    """
    one, other = before.split(), after.split()
    found: list[WordChange] = []
    matcher = SequenceMatcher(a=one, b=other, autojunk=False)
    codes = matcher.get_opcodes()
    if matcher.ratio() < _ALIKE:
        codes = [("replace", 0, len(one), 0, len(other))]
    for kind, a, b, c, d in codes:
        if kind == "equal":
            found.append(WordChange("kept", " ".join(one[a:b])))
            continue
        found += [WordChange("removed", " ".join(one[a:b]))] if b > a else []
        found += [WordChange("added", " ".join(other[c:d]))] if d > c else []
    return found


def _plain(words: Sequence[str]) -> list[str]:
    return [word.casefold().strip(".,;:!?\"'") for word in words]
