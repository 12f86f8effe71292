"""An index over texts: which of them are like a query."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from promptlab.errors import InputError
from promptlab.models.language_model import LanguageModel

Similarity = Literal["bm25", "embedding"]
Hit = tuple[int, float]
"""The position of a text in the index, and how like the query it is."""


class Index(ABC):
    """Texts that can be searched; `make_index` makes one.

    What it takes to find something is computed at the first search, so an index is cheap to make
    and to load.
    """

    similarity: ClassVar[Similarity]

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)

    @abstractmethod
    def scores(self, queries: Sequence[str]) -> Float[np.ndarray, "query text"]:
        """How like every query every text is; larger is more alike."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The ``k`` best texts for every query, best first (all of them if there are fewer).

        Of equally good ones the earlier text comes first. A BM25 score of 0 means that text and
        query have no word in common.
        """
        if k < 0:
            raise InputError(f"{k} texts are asked for; use 0 or more")
        if not queries or not self.texts:
            return [[] for _ in queries]
        found = self.scores(queries)
        best = ranked(found)[:, :k]
        return [
            [(int(position), float(row[position])) for position in positions]
            for row, positions in zip(found, best, strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """Plain JSON data from which `index_from_settings` makes the same index."""
        return {"similarity": self.similarity, "texts": list(self.texts)}


def ranked(scores: Float[np.ndarray, "query text"]) -> Int[np.ndarray, "query text"]:
    """Positions of the texts by falling score, equal ones by position."""
    return np.argsort(-scores, axis=1, kind="stable")


def make_index(
    similarity: Similarity, texts: Sequence[str], model: LanguageModel | None = None
) -> Index:
    """An index by words (*bm25*) or by the model's own vectors (*embedding*).

    Raises `CapabilityError` when the vectors of a model are asked for that gives none, and
    `InputError` for an unknown similarity.
    """
    from promptlab.retrieval.bm25 import WordIndex
    from promptlab.retrieval.embedding import EmbeddingIndex

    if similarity not in get_args(Similarity):
        raise InputError(
            f"unknown similarity {similarity!r}; it is one of {', '.join(get_args(Similarity))}"
        )
    if similarity == "bm25":
        return WordIndex(texts)
    if model is None:
        raise InputError(
            "similarity embedding needs a model whose vectors are compared; give one, or use bm25"
        )
    return EmbeddingIndex(texts, model)


def index_from_settings(settings: Mapping[str, Any], model: LanguageModel | None = None) -> Index:
    """The inverse of `Index.settings`; ``model`` gives the vectors of an embedding index."""
    return make_index(settings["similarity"], settings["texts"], model)
