"""How many nats likelier than no name a stretch must be: what is best on labelled examples."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from promptlab.data.example import Example
from promptlab.data.spans import LabelledSpan, read_spans
from promptlab.errors import InputError
from promptlab.strategies.span_decomposition.spans import (
    Selection,
    TextSpan,
    select_non_overlapping,
)

Margins = Mapping[TextSpan, tuple[float, str]]
"""For every stretch by how many nats its likeliest type is likelier than no name, and the type."""
_LEVELS = 64
"""At most so many values are tried."""


def best_bias(rows: Sequence[tuple[Margins, Counter[LabelledSpan]]], selection: Selection) -> float:
    """The bias in nats of the best micro F1 over texts with their true spans.

    Of equally good ones it is the nearest to zero.
    """
    levels = _levels([value for margins, _ in rows for value, _ in margins.values()])
    scores = {level: _f1(rows, selection, level) for level in levels}
    return max(levels, key=lambda level: (scores[level], -abs(level)))


def true_spans(row: Example) -> Counter[LabelledSpan]:
    """The spans of an example's label. Raises `InputError` for a label of another form."""
    found = read_spans(row.label or "")
    if found is None:
        raise InputError(
            f"the label of example {row.id!r} is no list of 'phrase -> TYPE' lines, nor none: "
            f"{row.label!r}"
        )
    return Counter(found)


def margin_values(margins: Margins) -> dict[TextSpan, float]:
    """The margins without the types."""
    return {stretch: value for stretch, (value, _) in margins.items()}


def _f1(
    rows: Sequence[tuple[Margins, Counter[LabelledSpan]]], selection: Selection, bias: float
) -> float:
    """Micro F1 of phrases with types, counted with their repetitions as seqeval does."""
    right = claimed = true = 0
    for margins, truth in rows:
        chosen = select_non_overlapping(margin_values(margins), selection, bias)
        spans = Counter(LabelledSpan(s.phrase, margins[s][1]) for s in chosen)
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


SolvedPhrase = tuple[Example, str, str]
"""An example, a phrase of it, and the phrase's label."""


def sample_solved_phrases(
    rows: Sequence[Example],
    stretches_of: Callable[[Example], list[TextSpan]],
    outside: str,
    count: int,
    seed: int,
) -> list[SolvedPhrase]:
    """``count`` solved phrases: labels take turns, each from a sentence of its own if possible.

    Raises `InputError` when the sentences hold fewer phrases.
    """
    source = random.Random(seed)
    pools: dict[str, list[SolvedPhrase]] = {}
    for row in source.sample(list(rows), len(rows)):
        types = {span.phrase: span.type for span in true_spans(row)}
        phrases = dict.fromkeys([*types, *(stretch.phrase for stretch in stretches_of(row))])
        for phrase in source.sample(list(phrases), len(phrases)):
            label = types.get(phrase, outside)
            pools.setdefault(label, []).append((row, phrase, label))
    if sum(map(len, pools.values())) < count:
        raise InputError(
            f"{count} solved phrases are to be shown and the training sentences hold "
            f"{sum(map(len, pools.values()))}; show fewer, or give more sentences"
        )
    chosen: list[SolvedPhrase] = []
    while len(chosen) < count:
        for label in sorted(pools):
            if pools[label] and len(chosen) < count:
                chosen.append(_taken(pools[label], {row.id for row, _, _ in chosen}))
    source.shuffle(chosen)
    return chosen


def _taken(pool: list[SolvedPhrase], used: set[str]) -> SolvedPhrase:
    """The first of a sentence that is not used yet, else the first."""
    index = next((n for n, (row, _, _) in enumerate(pool) if row.id not in used), 0)
    return pool.pop(index)
