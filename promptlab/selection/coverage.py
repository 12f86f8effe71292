"""A few examples that stand for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def covering(
    similarity: Float[np.ndarray, "query text"], count: int, groups: Sequence[str] | None = None
) -> list[int]:
    """``count`` texts that cover all queries best, in the order in which they were taken.

    Greedy facility location: each step takes the text that adds most to the sum over the queries
    of how like the query its most similar chosen text is (negative likeness counts as none), which
    is at least 1 - 1/e of the best possible (Nemhauser et al. 1978). With ``groups``, one a text,
    the groups take turns in alphabetical order. Of equally good texts the first is taken.
    """
    covered = np.zeros(len(similarity))
    left = np.ones(similarity.shape[1], dtype=bool)
    names = sorted(set(groups)) if groups is not None else [""]
    of_group = {
        name: left.copy() if groups is None else np.array([g == name for g in groups])
        for name in names
    }
    chosen: list[int] = []
    turn = 0
    while len(chosen) < min(count, len(left)):
        allowed = left & of_group[names[turn % len(names)]]
        turn += 1
        if not allowed.any():
            continue
        gains = np.maximum(similarity - covered[:, None], 0.0).sum(axis=0)
        best = int(np.argmax(np.where(allowed, gains, -1.0)))
        chosen.append(best)
        left[best] = False
        covered = np.maximum(covered, similarity[:, best])
    return chosen


def own_scale(similarity: Float[np.ndarray, "text text"]) -> Float[np.ndarray, "text text"]:
    """Each row in units of how like itself its text is, so that every text counts the same."""
    own = np.diagonal(similarity)
    scaled: Float[np.ndarray, "text text"] = similarity / np.where(own > 0, own, 1.0)[:, None]
    return scaled
