"""Words that tell of what an example is about, for prompts that are written for each example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from promptlab.errors import InputError

_MOST_WORDS = 5_000
"""Words of the training texts that are looked at, the most frequent ones."""


def example_features(
    texts: Sequence[str], domains: Sequence[str] | None = None, *, count: int = 4
) -> list[str]:
    """The features of every text: its domain, and its words that tell most of domains.

    With domains a word is worth the mutual information between its presence and the domain, of the
    words that are more frequent in the text's domain than in the others (Ben-David et al. 2022,
    PADA, section 3.2); without them its weight in the text by TF-IDF. The
    labels of the examples say nothing here, as they are what is to be predicted.

    Args:
        texts: Training texts.
        domains: The domain of each.
        count: Words of each text at most.

    Returns:
        ``domain: word, word``, or the words alone; empty for a text without a word.

    Raises:
        InputError: For domains of another number, or fewer than one word a text.

    Example:
        >>> example_features(["the plot drags", "the engine stalls"], ["films", "cars"], count=1)
        ['films: drags', 'cars: engine']
    """
    if count < 1:
        raise InputError(f"count is {count}; use 1 or more")
    if domains is not None and len(domains) != len(texts):
        raise InputError(f"there are {len(texts)} texts and {len(domains)} domains")
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    kind = TfidfVectorizer if domains is None else CountVectorizer
    options = {} if domains is None else {"binary": True}
    reader = kind(stop_words="english", max_features=_MOST_WORDS, **options)
    try:
        table = reader.fit_transform(texts)
    except ValueError:  # no text has a word that is none of the most common ones
        return ["" if domains is None else domains[n] for n in range(len(texts))]
    names = reader.get_feature_names_out()
    worth = None if domains is None else _mutual_information(table, domains)
    found = []
    for number in range(len(texts)):
        row = table[number]
        own = (
            row.indices
            if worth is None
            else row.indices[_is_own(row.indices, number, table, domains)]
        )
        values = row.data if worth is None else worth[own]
        order = np.lexsort((names[own], -values))[:count]
        words = ", ".join(str(names[own[place]]) for place in order)
        prefix = "" if domains is None else f"{domains[number]}: "
        found.append(f"{prefix}{words}".strip().removesuffix(":"))
    return found


def _mutual_information(
    table: object, domains: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    from sklearn.feature_selection import mutual_info_classif

    worth: np.ndarray[tuple[int], np.dtype[np.float64]] = mutual_info_classif(
        table, list(domains), discrete_features=True
    )
    return worth


def _is_own(words: Any, number: int, table: Any, domains: Sequence[str] | None) -> Any:
    """Which of the words are more frequent in the domain of a text than in the others."""
    assert domains is not None
    inside = np.array([domain == domains[number] for domain in domains])
    presence = table[:, words].toarray()
    others = presence[~inside].mean(axis=0) if (~inside).any() else np.zeros(len(words))
    return presence[inside].mean(axis=0) > others
