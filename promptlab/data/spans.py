"""Labelled spans written as text: one ``phrase -> TYPE`` line a span."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NO_SPANS = "none"

_LINE = re.compile(r"^(?P<phrase>.+?)\s*(?:->|=>|→)\s*(?P<type>\S+)$")
_BULLET = re.compile(r"^(?:[-*•]|\d+[.)])\s+")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, order=True)
class LabelledSpan:
    """A phrase of the input, copied as it stands there, and the type given to it."""

    phrase: str
    type: str


def read_spans(text: str) -> list[LabelledSpan] | None:
    """The spans of a reply or a reference, in order; lines of another form are passed over.

    The single word ``none`` is an empty list. ``None`` when no line has the form
    ``phrase -> TYPE``, so that a reply which ignored the format is told from an empty one.
    """
    if text.strip().rstrip(".").casefold() == NO_SPANS:
        return []
    found = [span for line in text.splitlines() if (span := _read_line(line)) is not None]
    return found or None


def write_spans(spans: Iterable[LabelledSpan]) -> str:
    """The canonical text of ``spans``: what `read_spans` reads back."""
    return "\n".join(f"{span.phrase} -> {span.type}" for span in spans) or NO_SPANS


def _read_line(line: str) -> LabelledSpan | None:
    """One span, or ``None`` when the line has another form."""
    match = _LINE.match(_BULLET.sub("", line.strip()))
    if match is None:
        return None
    phrase = " ".join(match["phrase"].split())
    # A quoted phrase loses its quotes, but a phrase that *is* a quotation mark keeps it.
    phrase = phrase.strip(_QUOTES).strip() or phrase
    kind = match["type"].strip(_QUOTES) or match["type"]
    # "LOC." ends a sentence, "." is the tag of a full stop.
    kind = kind.rstrip(".,;") or kind
    return LabelledSpan(phrase, kind)
