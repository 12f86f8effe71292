"""Replies that are answers, but no whole ones: cut, empty, or a refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from promptlab.evaluation.predictions import Prediction

CUT = "cut"
"""The note of a step whose reply was ended by its limit of tokens."""
WORDLESS = "wordless"
"""The fact of an example to which the model has answered without an answer: why."""
_WORDS = {
    "refused": ("the model declined to answer", "they count as unparsed"),
    "empty": (
        "the model wrote no answer",
        "they count as unparsed; where it reasons first, raise max_tokens in the decoding",
    ),
    CUT: ("a reply was cut at max_tokens", "it was read as far as it goes"),
}


def count_replies(rows: Iterable[Prediction]) -> Counter[str]:
    """How many examples have a reply that is *refused*, *empty* or *cut*."""
    return Counter(kind for row in rows for kind in _kinds(row.trace, row.text))


def describe_reply_counts(counts: Mapping[str, int], examples: int) -> list[str]:
    """The counts in words, a phrase for each kind that there is."""
    return [
        f"for {counts[kind]:,} of {examples:,} examples {what} ({so})"
        for kind, (what, so) in _WORDS.items()
        if counts.get(kind)
    ]


def _kinds(trace: Any, text: str | None) -> list[str]:
    if not isinstance(trace, Mapping):
        return []
    if WORDLESS in trace:
        return ["refused" if text else "empty"]
    if "unread" in trace:
        return ["empty"]
    if any(step.get("notes", {}).get(CUT) for step in trace.get("steps", ())):
        return [CUT]
    return []
