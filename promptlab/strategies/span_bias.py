"""How many nats likelier than no name a stretch must be: what is best on labelled examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from promptlab.errors import InputError
from promptlab.example import Example
from promptlab.spans import Span, read_spans
from promptlab.strategies.stretches import Selection, Stretch, select

Margins = Mapping[Stretch, tuple[float, str]]
"""For every stretch by how many nats its likeliest type is likelier than no name, and the type."""
_LEVELS = 64
"""At most so many values are tried."""


def best_bias(rows: Sequence[tuple[Margins, Counter[Span]]], selection: Selection) -> float:
    """The bias in nats of the best micro F1 over texts with their true spans.

    Of equally good ones it is the nearest to zero.
    """
    levels = _levels([value for margins, _ in rows for value, _ in margins.values()])
    scores = {level: _f1(rows, selection, level) for level in levels}
    return max(levels, key=lambda level: (scores[level], -abs(level)))


def true_spans(row: Example) -> Counter[Span]:
    """The spans of an example's label. Raises `InputError` for a label of another form."""
    found = read_spans(row.label or "")
    if found is None:
        raise InputError(
            f"the label of example {row.id!r} is no list of 'phrase -> TYPE' lines, nor none: "
            f"{row.label!r}"
        )
    return Counter(found)


def values(margins: Margins) -> dict[Stretch, float]:
    """The margins without the types."""
    return {stretch: value for stretch, (value, _) in margins.items()}


def _f1(rows: Sequence[tuple[Margins, Counter[Span]]], selection: Selection, bias: float) -> float:
    """Micro F1 of phrases with types, counted with their repetitions as seqeval does."""
    right = claimed = true = 0
    for margins, truth in rows:
        chosen = select(values(margins), selection, bias)
        spans = Counter(Span(s.phrase, margins[s][1]) for s in chosen)
        right += (spans & truth).total()
        claimed += spans.total()
        true += truth.total()
    return 2 * right / (claimed + true) if claimed + true else 1.0


def _levels(margins: Sequence[float]) -> list[float]:
    """Thresholds to try: zero, points between neighbouring margins, and one above them all."""
    ordered = np.unique(np.array(margins, dtype=float))
    between = (ordered[1:] + ordered[:-1]) / 2
    if len(between) > _LEVELS:
        # Few stretches are names, so the upper margins are looked at more closely.
        ranks = len(between) - np.geomspace(1, len(between), _LEVELS).astype(int)
        between = between[np.unique(ranks)]
    top = [float(ordered[-1]) + 1.0] if len(ordered) else []
    return [0.0, *map(float, between), *top]
