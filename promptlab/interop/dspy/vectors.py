"""Texts as vectors of weighted words, for optimizers that look for near examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def word_vectors(corpus: Sequence[str]) -> Callable[[list[str]], np.ndarray]:
    """A function from texts to unit vectors ``[text, word]``: tf-idf over the corpus' words.

    No model is asked and nothing is written. Texts without a known word are the zero vector.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    fitted = TfidfVectorizer(tokenizer=str.split, token_pattern=None).fit([*corpus, "."])

    def vectors(texts: list[str]) -> np.ndarray:
        found: np.ndarray = fitted.transform(texts).toarray().astype(np.float32)
        return found

    return vectors
