"""Candidate words of every label, and the combinations of them that are worth a try."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from promptlab.errors import InputError
from promptlab.tuning.answer_search.config import Ranking
from promptlab.tuning.answer_search.statistics import WordStatistics

POOL = 1000
"""So many words of a label are ranked by the ratio, its likeliest ones (Schick et al. 2020)."""
_MAX_LOOKS = 20
"""At most so many combinations are looked at for each that is wanted: some have a word twice."""


def word_scores(
    statistics: WordStatistics, ranking: Ranking, *, every: bool = False
) -> Float[np.ndarray, "label word"]:
    """What words are ranked by for every label.

    The ratio ranks a label's likeliest words alone, and has -inf for the others, unless ``every``.
    """
    means = statistics.mean_logprobs()
    if ranking == "likelihood":
        return means
    ratios = statistics.likelihood_ratios()
    if means.shape[1] > POOL and not every:
        least = -np.partition(-means, POOL - 1, axis=1)[:, POOL - 1]
        ratios = np.where(means >= least[:, None], ratios, -np.inf)
    return ratios


def candidate_words(
    statistics: WordStatistics,
    labels: Sequence[str],
    *,
    top: int,
    ranking: Ranking,
    distinct: bool = True,
    least: int = 1,
) -> list[list[int]]:
    """The best ``top`` words of each label, as columns of the statistics, best first.

    With ``distinct`` a word is left to the label whose examples raise it most. Raises `InputError`
    when a label has fewer than ``least`` words.
    """
    scores = word_scores(statistics, ranking)
    if distinct:
        own = statistics.advantages().argmax(axis=0)
        scores = np.where(own == np.arange(len(labels))[:, None], scores, -np.inf)
    found = []
    for label, row in zip(labels, scores, strict=True):
        ranked = np.argsort(-row, kind="stable")[:top]
        words = [int(word) for word in ranked if np.isfinite(row[word])]
        if len(words) < least:
            raise InputError(
                f"only {len(words)} words stand out for the label {label!r}, and {least} are "
                "wanted; ask for fewer words, or set distinct: false"
            )
        found.append(words)
    return found


def assignments(
    candidates: Sequence[Sequence[int]],
    scores: Float[np.ndarray, "label word"],
    most: int,
) -> Int[np.ndarray, "assignment label"]:
    """One word a label in all combinations, no word twice; at most ``most``, the best ranked.

    ``candidates`` are best first; the rank of a combination is the sum of its words' ``scores``.
    Raises `InputError` where every combination has a word twice.
    """
    if np.prod([float(len(words)) for words in candidates]) <= most:
        found = [pick for pick in product(*candidates) if len(set(pick)) == len(pick)]
    else:
        found = _best_combinations(candidates, scores, most)
    if not found:
        raise InputError(
            "the labels have the same few candidates, so that no combination is without a word "
            "twice; raise candidates, or set distinct: true"
        )
    return np.array(found, dtype=np.int64)


def _best_combinations(
    candidates: Sequence[Sequence[int]], scores: Float[np.ndarray, "label word"], most: int
) -> list[tuple[int, ...]]:
    """Combinations in the order of their sums, the largest first.

    A combination is kept as its changes ``(label, place)`` against the first words; every one is
    reached once, from the one with its last change taken a place back, whose sum is no smaller.
    """
    values = [scores[label, list(words)] for label, words in enumerate(candidates)]
    queue: list[tuple[float, tuple[tuple[int, int], ...]]] = [
        (-float(sum(column[0] for column in values)), ())
    ]
    found: list[tuple[int, ...]] = []
    looks = 0
    while queue and len(found) < most and looks < _MAX_LOOKS * most:
        looks += 1
        loss, changes = heapq.heappop(queue)
        places = dict(changes)
        pick = tuple(words[places.get(label, 0)] for label, words in enumerate(candidates))
        if len(set(pick)) == len(pick):
            found.append(pick)
        last, before = changes[-1] if changes else (-1, 0)
        if changes and before + 1 < len(values[last]):
            step = float(values[last][before] - values[last][before + 1])
            heapq.heappush(queue, (loss + step, (*changes[:-1], (last, before + 1))))
        for label in range(last + 1, len(values)):
            if len(values[label]) > 1:
                step = float(values[label][0] - values[label][1])
                heapq.heappush(queue, (loss + step, (*changes, (label, 1))))
    return found
