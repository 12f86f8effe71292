"""Texts that are like a query: by their words (BM25), or by a model's own vectors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from promptlab.data.example import Example
from promptlab.errors import CapabilityError, InputError
from promptlab.models.base import LanguageModel
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.template import Template

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
        best = rank(found)[:, :k]
        return [
            [(int(position), float(row[position])) for position in positions]
            for row, positions in zip(found, best, strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """Plain JSON data from which `index_from_settings` makes the same index."""
        return {"similarity": self.similarity, "texts": list(self.texts)}


def rank(scores: Float[np.ndarray, "query text"]) -> Int[np.ndarray, "query text"]:
    """Positions of the texts by falling score, equal ones by position."""
    return np.argsort(-scores, axis=1, kind="stable")


K1 = 1.5
B = 0.75
_WORD = re.compile(r"\w+")


def split_words(text: str) -> list[str]:
    """The words of a text: runs of letters and digits without case, no stop words left out."""
    return _WORD.findall(text.casefold())


class BM25Index(Index):
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
            if self._ranker is not None and (asked := split_words(query))
            else nothing
            for query in queries
        ]
        return np.array(found).reshape(len(queries), len(self.texts))

    @cached_property
    def _ranker(self) -> Any:
        """bm25s over the texts; ``None`` when they have no word at all."""
        import bm25s

        tokens = [split_words(text) for text in self.texts]
        if not any(tokens):
            return None
        ranker = bm25s.BM25(k1=K1, b=B, method="lucene", dtype="float64")
        ranker.index(tokens, show_progress=False)
        return ranker


PROMPT_EOL = Template('This sentence : "{text}" means in one word:"{mask}')
"""PromptEOL (Jiang et al. 2023): the word to come has to sum the text up."""
PROMPT_BERT = Template('This sentence : "{text}" means {mask} .')
"""PromptBERT (Jiang et al. 2022), for models that see both sides of the slot."""


class EmbeddingIndex(Index):
    """Cosine of the model's slot features for a prompt that asks for the text in one word.

    The mean vector of the indexed texts is taken off texts and queries first: what all texts
    share says nothing about which are alike, and hides what does. Vectors are kept by the model's
    store of features, so a text is computed once. Raises `CapabilityError` for a model without
    features.
    """

    similarity: ClassVar[Similarity] = "embedding"

    def __init__(self, texts: Sequence[str], model: LanguageModel) -> None:
        super().__init__(texts)
        check_embeds(model)
        self.model = model
        self.template = PROMPT_BERT if model.family == "masked" else PROMPT_EOL

    def scores(self, queries: Sequence[str]) -> Float[np.ndarray, "query text"]:
        """Cosine in [-1, 1] of every text with every query, after the texts' mean is taken off."""
        # A text that stands twice is compared once, so that it is equally good to the last bit.
        places = {text: place for place, text in enumerate(dict.fromkeys(self.texts))}
        found = self.vectors(queries) @ self._distinct.T
        return found[:, [places[text] for text in self.texts]]

    def vectors(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        """Centred vectors of length 1 (of length 0 for a text that is the mean itself)."""
        return _unit(self._features(texts) - self._mean)

    @cached_property
    def _raw(self) -> Float[np.ndarray, "text dim"]:
        return self._features(self.texts)

    @cached_property
    def _mean(self) -> Float[np.ndarray, " dim"]:
        return self._raw.mean(axis=0)

    @cached_property
    def _distinct(self) -> Float[np.ndarray, "text dim"]:
        """The vectors of distinct texts, in the order in which these first stand."""
        first: dict[str, int] = {}
        for place, text in enumerate(self.texts):
            first.setdefault(text, place)
        return _unit(self._raw - self._mean)[list(first.values())]

    def _features(self, texts: Sequence[str]) -> Float[np.ndarray, "text dim"]:
        prompts = [
            render_truncated(self.template, Example("", {"text": text}), (), self.model, 1)
            for text in texts
        ]
        return self.model.features(prompts).astype(np.float64)


def check_embeds(model: LanguageModel) -> None:
    """Raise `CapabilityError` for a model that gives no vectors."""
    if "features" not in model.capabilities:
        raise CapabilityError(
            f"{model.name} is a {model.family} model and gives no vectors to compare texts by; "
            "use similarity bm25, or a local model"
        )


def _unit(vectors: Float[np.ndarray, "text dim"]) -> Float[np.ndarray, "text dim"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 1e-12, lengths, 1.0)


def make_index(
    similarity: Similarity, texts: Sequence[str], model: LanguageModel | None = None
) -> Index:
    """An index by words (*bm25*) or by the model's own vectors (*embedding*).

    Raises `CapabilityError` when the vectors of a model are asked for that gives none, and
    `InputError` for an unknown similarity.
    """
    if similarity not in get_args(Similarity):
        raise InputError(
            f"unknown similarity {similarity!r}; it is one of {', '.join(get_args(Similarity))}"
        )
    if similarity == "bm25":
        return BM25Index(texts)
    if model is None:
        raise InputError(
            "similarity embedding needs a model whose vectors are compared; give one, or use bm25"
        )
    return EmbeddingIndex(texts, model)


def index_from_settings(settings: Mapping[str, Any], model: LanguageModel | None = None) -> Index:
    """The inverse of `Index.settings`; ``model`` gives the vectors of an embedding index."""
    return make_index(settings["similarity"], settings["texts"], model)
