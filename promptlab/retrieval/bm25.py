"""Texts found by their words: BM25."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from promptlab.retrieval.index import Index, Similarity

K1 = 1.5
B = 0.75
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text: runs of letters and digits without case, no stop words left out."""
    return _WORD.findall(text.casefold())


class WordIndex(Index):
    """BM25 (Robertson & Zaragoza 2009) with Lucene's never negative idf, computed by bm25s.

    score(q, d) = Σ over the words w of q: ln(1 + (N - n_w + ½) / (n_w + ½)) · f / (f + k1 · (1 -
    b + b · |d| / mean |d|)), f being how often w stands in d; k1 = 1.5, b = .75.
    """

    similarity: ClassVar[Similarity] = "bm25"

    def scores(self, queries: Sequence[str]) -> Float[np.ndarray, "query text"]:
        """BM25 of every text for every query."""
        nothing = np.zeros(len(self.texts))
        found = [
            np.asarray(self._ranker.get_scores(asked), dtype=np.float64)
            if self._ranker is not None and (asked := words(query))
            else nothing
            for query in queries
        ]
        return np.array(found).reshape(len(queries), len(self.texts))

    @cached_property
    def _ranker(self) -> Any:
        """bm25s over the texts; ``None`` when they have no word at all."""
        import bm25s

        tokens = [words(text) for text in self.texts]
        if not any(tokens):
            return None
        ranker = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        ranker.index(tokens, show_progress=False)
        return ranker
