"""The usual names of columns."""

from __future__ import annotations

TEXT_NAMES = ("text", "sentence", "review", "body", "content", "comment", "document", "message",
              "tweet", "utterance", "headline", "input")  # fmt: skip
"""A column with one of these names becomes the field ``text``."""

FIELD_NAMES = ("premise", "hypothesis", "passage", "question", "context", "sentence1",
               "sentence2", "word", "country", "query", "title")  # fmt: skip
"""A column with one of these names becomes a field of the same name."""

LABEL_NAMES = ("label", "labels", "target", "class", "category", "sentiment", "stars", "rating",
               "answer", "output")  # fmt: skip
"""A column with one of these names may be the label; ``label`` goes before the others."""

ID_NAMES = ("id",)
"""A column with one of these names numbers the rows."""


def is_usual(name: str) -> bool:
    """Whether a column of this name is one that data files usually have."""
    return plain_name(name) in {*TEXT_NAMES, *FIELD_NAMES, *LABEL_NAMES, *ID_NAMES}


def plain_name(name: str) -> str:
    """A column's name without case and white space around it."""
    return name.strip().lower()
