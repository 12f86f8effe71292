"""Words that can stand in a prompt for the labels that people write in data files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

STARS = ("terrible", "bad", "okay", "good", "great")
"""Answers for ratings from one to five."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "positive": ("pos", "positive", "good", "+", "favourable", "favorable", "thumbs up"),
    "negative": ("neg", "negative", "bad", "-", "unfavourable", "unfavorable", "thumbs down"),
    "spam": ("spam", "junk"),
    "not_spam": ("ham", "not spam", "legitimate", "no spam", "legit"),
    "ham": ("ham", "not spam", "legitimate", "no spam", "legit"),
    "yes": ("yes", "true", "y", "1"),
    "no": ("no", "false", "n", "0"),
    "entailment": ("entailment", "entails", "entailed"),
    "not_entailment": ("not entailment", "no entailment", "not entailed", "non entailment"),
    "sports": ("sports", "sport"),
    "science": ("science", "sci/tech", "technology", "sci tech", "tech"),
    "world": ("world", "politics", "international"),
    "business": ("business", "economy", "finance"),
}


def plain(label: str) -> str:
    """A label as words: ``"Not_Spam"`` becomes ``not spam``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return re.sub(r"[\s_-]+", " ", spaced).strip().lower() or label


def match_labels(labels: Sequence[str], known: Sequence[str]) -> dict[str, str] | None:
    """Which known label each of ``labels`` means; ``None`` unless they pair off exactly."""
    if len(labels) != len(known):
        return None
    paired: dict[str, str] = {}
    for label in labels:
        meant = [name for name in known if plain(label) in _names(name)]
        if len(meant) != 1:
            return None
        paired[label] = meant[0]
    return paired if len(set(paired.values())) == len(known) else None


def are_stars(labels: Sequence[str]) -> bool:
    """Whether the labels are ratings from 1 to 5."""
    return sorted(_number(label) for label in labels) == [1, 2, 3, 4, 5]


def label_answers(labels: Sequence[str]) -> dict[str, str]:
    """An answer for each label: its own words, or words for numbers and truth values."""
    if are_stars(labels):
        return {label: STARS[int(_number(label)) - 1] for label in labels}
    if (pair := match_labels(labels, ("yes", "no"))) is not None:
        return pair
    return {label: plain(label) for label in labels}


def are_numbers(labels: Sequence[str]) -> bool:
    """Whether all labels are bare numbers, which say nothing to a language model."""
    return all(_number(label) >= 0 for label in labels)


def _names(known: str) -> tuple[str, ...]:
    return (plain(known), *_ALIASES.get(known, ()))


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return -1.0
