"""What the texts of a file are: support tickets, hotel reviews, questions about passages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_NOUNS = {
    "abstract", "article", "chat", "claim", "comment", "complaint", "conversation", "description",
    "dialogue", "document", "email", "essay", "feedback", "headline", "inquiry", "letter", "mail",
    "message", "note", "opinion", "paper", "post", "question", "report", "request", "review",
    "sentence", "statement", "story", "summary", "ticket", "title", "transcript", "tweet",
    "utterance",
}  # fmt: skip
_THINGS: Mapping[str, tuple[str, ...]] = {
    "hotel": ("hotel", "room", "rooms", "staff", "breakfast", "reception", "lobby", "check-in"),
    "film": ("film", "movie", "films", "movies", "plot", "actors", "acting", "director", "cinema"),
    "restaurant": ("restaurant", "food", "waiter", "waitress", "menu", "dish", "meal", "dessert"),
    "book": ("book", "novel", "author", "chapter", "chapters", "story", "pages"),
    "blender": ("blender", "smoothie", "smoothies", "jug", "blades", "blends"),
    "app": ("app", "login", "update", "screen", "crashes", "install"),
    "flight": ("flight", "airline", "airport", "crew", "boarding", "luggage"),
    "product": ("product", "quality", "price", "delivery", "bought", "works", "broke"),
}
"""Words that tell what a review is about; at least four of ten texts hold one of them."""
_SHARE = 0.4
_NOISE = {
    "data", "dataset", "set", "train", "test", "dev", "labelled", "labeled", "labels", "final",
    "new", "all", "my", "the", "sample", "samples", "export", "file", "csv", "raw", "clean", "v",
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """What one text is (``support ticket``), and what it is about (``hotel``), where that shows."""

    noun: str
    thing: str | None = None


def find_subject(
    path: Path, columns: Sequence[str], texts: Sequence[str], *, rated: bool
) -> Subject:
    """What the texts are, by the file's name, its columns and their words.

    ``rated`` texts are opinions of something: reviews, where nothing else is known.
    """
    words = _words(path.name.partition(".")[0])
    names = {_singular(word) for column in columns for word in _words(column)}
    noun = next((word for word in reversed(words) if word in _NOUNS), None)
    before = words[: words.index(noun)] if noun else []
    if noun is None:
        noun = next((word for word in sorted(_NOUNS) if word in names - {"title"}), None)
    if {"subject", "body"} <= names and noun in (None, "ticket", "email", "mail", "message"):
        noun = noun or ("ticket" if names & {"queue", "ticket", "priority"} else "message")
    if noun == "ticket":
        return Subject("support ticket")
    thing = _thing(texts, [*words, *names])
    if rated and noun in (None, "sentence", "comment", "title"):
        noun = "review"
    if noun in ("review", "opinion", "feedback") and thing:
        return Subject(f"{thing} {noun}", thing)
    if noun is None:
        return Subject("text")
    said = [word for word in before if word not in _NOISE][-1:]
    return Subject(" ".join([*said, noun]), thing if rated else None)


def _thing(texts: Sequence[str], named: Sequence[str]) -> str | None:
    for thing in _THINGS:
        if thing in named or (thing == "film" and "movie" in named):
            return thing
    shares = {}
    for thing, words in _THINGS.items():
        known = set(words)
        held = sum(bool(known & set(re.findall(r"[a-z-]+", text.lower()))) for text in texts)
        shares[thing] = held / max(len(texts), 1)
    best = max(shares, key=lambda thing: shares[thing])
    return best if shares[best] >= _SHARE else None


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    found = [_singular(word) for word in re.split(r"[\W_\d]+", spaced.lower()) if word]
    return [word for word in found if word not in _NOISE]


def _singular(word: str) -> str:
    word = word.lower()
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
