"""Stretches of words that may be names: which there are, and which of them are taken."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Keep = Literal["all", "words", "capitalised"]
Selection = Literal["optimal", "greedy"]


@dataclass(frozen=True)
class TextSpan:
    """Words ``start`` to ``end`` (not included) of a text, and their phrase."""

    start: int
    end: int
    phrase: str


def candidate_spans(words: Sequence[str], longest: int, keep: Keep = "words") -> list[TextSpan]:
    """All stretches of up to ``longest`` words, in the order of the text.

    *words*: the first and the last word hold a letter or a digit; *capitalised*: they begin with
    a capital letter.
    """
    passes = {"all": _anything, "words": _a_word, "capitalised": _capitalised}[keep]
    ends = [passes(word) for word in words]
    return [
        TextSpan(start, end, " ".join(words[start:end]))
        for start in range(len(words))
        for end in range(start + 1, min(start + longest, len(words)) + 1)
        if ends[start] and ends[end - 1]
    ]


def select_non_overlapping(
    margins: Mapping[TextSpan, float], selection: Selection = "optimal", bias: float = 0.0
) -> list[TextSpan]:
    """Stretches that do not overlap, in the order of the text, of margins above ``bias`` (nats).

    *optimal*: those with the largest sum of what their margins have above the bias (weighted
    interval scheduling, exact); *greedy*: the largest margin first.
    """
    above = {s: margin - bias for s, margin in margins.items() if margin > bias}
    chosen = _optimal(above) if selection == "optimal" else _greedy(above)
    return sorted(chosen, key=lambda stretch: stretch.start)


def _greedy(margins: Mapping[TextSpan, float]) -> list[TextSpan]:
    chosen: list[TextSpan] = []
    for stretch in sorted(margins, key=lambda s: (-margins[s], s.start, s.end)):
        if all(stretch.end <= other.start or other.end <= stretch.start for other in chosen):
            chosen.append(stretch)
    return chosen


def _optimal(margins: Mapping[TextSpan, float]) -> list[TextSpan]:
    """Dynamic programming over the stretches by their ends."""
    ordered = sorted(margins, key=lambda s: (s.end, s.start))
    ends = [stretch.end for stretch in ordered]
    # best[n] is the largest sum with the first n stretches; before[n] those that end in time.
    best = [0.0]
    before = [bisect_right(ends, stretch.start) for stretch in ordered]
    for stretch, free in zip(ordered, before, strict=True):
        best.append(max(best[-1], best[free] + margins[stretch]))
    chosen: list[TextSpan] = []
    n = len(ordered)
    while n:
        if best[n] > best[n - 1]:
            chosen.append(ordered[n - 1])
            n = before[n - 1]
        else:
            n -= 1
    return chosen


def _anything(word: str) -> bool:
    return True


def _a_word(word: str) -> bool:
    return any(map(str.isalnum, word))


def _capitalised(word: str) -> bool:
    return word[:1].isupper()
