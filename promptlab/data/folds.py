"""Examples in folds: labels spread evenly, and what is the same text in one fold."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from promptlab.data.duplicates import text_numbers
from promptlab.data.example import Example


def text_folds(
    examples: Sequence[Example], targets: Int[np.ndarray, " example"], folds: int, seed: int
) -> Int[np.ndarray, " example"] | None:
    """The fold of every example; fewer folds where there are too few texts.

    Args:
        examples: Examples, some of them perhaps the same text.
        targets: The numbers of their labels.
        folds: How many folds are wanted.
        seed: For the order in which texts are dealt out.

    Returns:
        Numbers from 0, or ``None`` where there are too few texts for two folds.

    Example:
        >>> from promptlab.data.folds import text_folds
        >>> texts = [pl.Example(str(n), {"text": f"text {n // 2}"}) for n in range(8)]
        >>> folds = text_folds(texts, np.array([0, 0, 1, 1, 0, 0, 1, 1]), 2, seed=13)
        >>> bool((folds[0::2] == folds[1::2]).all()), sorted(set(folds.tolist()))
        (True, [0, 1])
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if not len(examples):
        return None
    groups = np.array(text_numbers(examples))
    count = min(folds, len(set(groups.tolist())), int(np.bincount(targets).max()))
    if count < 2:
        return None
    dealt = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    found = np.zeros(len(examples), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a rare label is in fewer folds
        for number, (_, held) in enumerate(dealt.split(groups, targets, groups)):
            found[held] = number
    return found
