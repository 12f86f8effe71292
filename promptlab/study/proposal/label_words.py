"""Words that can stand in a prompt for the labels that people write in data files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

STAR_WORDS = (
    ("terrible", "awful", "horrible"),
    ("bad", "poor", "disappointing"),
    ("okay", "average", "mediocre"),
    ("good", "nice", "pleasant"),
    ("great", "excellent", "wonderful"),
)
"""Answers for ratings from one to five, several for each."""

_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "account": ("account", "login", "password"),
    "billing": ("billing", "payment", "invoice"),
    "bug": ("bug", "error", "crash"),
    "business": ("business", "economy", "finance"),
    "cancellation": ("cancellation", "cancel"),
    "complaint": ("complaint", "criticism"),
    "compliment": ("compliment", "praise"),
    "customer service": ("customer service", "support"),
    "delivery": ("delivery", "shipping", "parcel"),
    "education": ("education", "school"),
    "entertainment": ("entertainment", "film", "music"),
    "feature": ("feature", "idea", "suggestion"),
    "feature request": ("feature request", "suggestion", "idea"),
    "general": ("general", "other"),
    "hardware": ("hardware", "device"),
    "health": ("health", "medicine"),
    "high": ("high", "urgent"),
    "human resources": ("human resources", "personnel", "hr"),
    "hr": ("HR", "personnel", "staff"),
    "it": ("IT", "technology"),
    "legal": ("legal", "law"),
    "low": ("low", "minor"),
    "medium": ("medium", "normal"),
    "negative": ("negative", "bad", "terrible"),
    "neutral": ("neutral", "mixed", "okay"),
    "no": ("no", "false"),
    "order": ("order", "purchase"),
    "orders": ("orders", "purchases"),
    "other": ("other", "something else"),
    "payment": ("payment", "billing", "invoice"),
    "payments": ("payments", "billing", "invoices"),
    "politics": ("politics", "government"),
    "positive": ("positive", "good", "great"),
    "praise": ("praise", "thanks"),
    "product": ("product", "item"),
    "question": ("question", "inquiry"),
    "refund": ("refund", "money back"),
    "refunds": ("refunds", "money back"),
    "returns": ("returns", "refund", "exchange"),
    "sales": ("sales", "purchase", "quote"),
    "science": ("science", "research"),
    "security": ("security", "password", "hacking"),
    "shipping": ("shipping", "delivery", "parcel"),
    "software": ("software", "program"),
    "sports": ("sports", "sport"),
    "subscription": ("subscription", "plan"),
    "support": ("support", "help"),
    "technical": ("technical", "bug", "error"),
    "technical support": ("technical support", "bug", "error"),
    "technology": ("technology", "computers"),
    "urgent": ("urgent", "critical"),
    "warranty": ("warranty", "repair"),
    "world": ("world", "international"),
    "yes": ("yes", "true"),
}
"""Other words for what labels often are called, the label's own first."""

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


def normalize_label(label: str) -> str:
    """A label as words: ``"Not_Spam"`` becomes ``not spam``."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return re.sub(r"[\s_-]+", " ", spaced).strip().lower() or label


def match_labels(labels: Sequence[str], known: Sequence[str]) -> dict[str, str] | None:
    """Which known label each of ``labels`` means; ``None`` unless they pair off exactly."""
    if len(labels) != len(known):
        return None
    paired: dict[str, str] = {}
    for label in labels:
        meant = [name for name in known if normalize_label(label) in _names(name)]
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
    return {label: normalize_label(label) for label in labels}


def label_synonyms(labels: Sequence[str]) -> dict[str, list[str]]:
    """Several answers for each label, where words for it are known; none stands for two labels."""
    if are_stars(labels):
        return {label: list(STAR_WORDS[int(_number(label)) - 1]) for label in labels}
    names = label_answers(labels)
    found = {label: list(_SYNONYMS.get(name, (name,))) for label, name in names.items()}
    own = {name.lower() for name in names.values()}
    taken: dict[str, int] = {}
    for words in found.values():
        for word in words:
            taken[word.lower()] = taken.get(word.lower(), 0) + 1
    return {
        label: [
            word
            for word in words
            if word.lower() == names[label].lower()
            or (taken[word.lower()] == 1 and word.lower() not in own)
        ]
        for label, words in found.items()
    }


def are_ordered(labels: Sequence[str]) -> bool:
    """Whether the labels are grades: three whole numbers or more, none left out between them."""
    numbers = sorted(_number(label) for label in labels)
    whole = all(number >= 0 and number.is_integer() for number in numbers)
    return whole and len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1


def are_numbers(labels: Sequence[str]) -> bool:
    """Whether all labels are bare numbers, which say nothing to a language model."""
    return all(_number(label) >= 0 for label in labels)


def _names(known: str) -> tuple[str, ...]:
    return (normalize_label(known), *_ALIASES.get(known, ()))


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return -1.0
