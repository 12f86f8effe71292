"""Texts that were longer than a model's window: how many, and how much of them was not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from promptlab.evaluation.predictions import Prediction

FIELDS, TOKENS = "shortened", "cut_tokens"
"""The facts of a prediction: which fields were cut, and how many tokens of the prompt that took."""


@dataclass(frozen=True)
class TruncationCount:
    """So many ``examples`` were cut to the window, and lost so many ``tokens`` by that."""

    examples: int = 0
    tokens: int = 0

    def __add__(self, other: TruncationCount) -> TruncationCount:
        return TruncationCount(self.examples + other.examples, self.tokens + other.tokens)

    def sentence(self, of: int) -> str:
        """In words, ``of`` so many examples; empty where nothing was cut.

        Example:
            >>> TruncationCount(3, 17400).sentence(24)
            "3 of 24 examples do not fit the model's window: their texts were cut, 17,400 tokens \
were not read"
        """
        if not self.examples:
            return ""
        lost = f", {self.tokens:,} tokens were not read" if self.tokens else ""
        return (
            f"{self.examples:,} of {of:,} examples do not fit the model's window: their texts were "
            f"cut{lost}"
        )

    def record(self) -> dict[str, int]:
        """Plain JSON data."""
        return {"examples": self.examples, "tokens": self.tokens}


def count_truncations(rows: Iterable[Prediction]) -> TruncationCount:
    """How many examples were cut, and what they lost, by the facts in their traces."""
    found = TruncationCount()
    for row in rows:
        facts = truncation_facts([row.trace])
        if facts:
            found += TruncationCount(1, facts[TOKENS])
    return found


def truncation_facts(traces: Iterable[Any]) -> dict[str, Any]:
    """The facts of several traces about cuts as those of one; empty where nothing was cut."""
    known = [t for t in traces if isinstance(t, Mapping) and t.get(FIELDS)]
    if not known:
        return {}
    names = dict.fromkeys(name for facts in known for name in facts[FIELDS])
    return {FIELDS: list(names), TOKENS: sum(int(facts.get(TOKENS, 0)) for facts in known)}
