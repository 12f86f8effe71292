"""Texts found by the model's own vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from promptlab.errors import CapabilityError
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.retrieval.index import Index, Similarity
from promptlab.template import Template
from promptlab.window import render_within

EXPLICIT = Template('This sentence : "{text}" means in one word:"{mask}')
"""PromptEOL (Jiang et al. 2023): the word to come has to sum the text up."""
MASKED = Template('This sentence : "{text}" means {mask} .')
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
        self.template = MASKED if model.family == "masked" else EXPLICIT

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
            render_within(self.template, Example("", {"text": text}), (), self.model, 1)
            for text in texts
        ]
        return self.model.features(prompts).astype(np.float64)


def check_embeds(model: LanguageModel) -> None:
    """Raise `CapabilityError` for a model that gives no vectors."""
    if "features" not in model.can:
        raise CapabilityError(
            f"{model.name} is a {model.family} model and gives no vectors to compare texts by; "
            "use similarity bm25, or a local model"
        )


def _unit(vectors: Float[np.ndarray, "text dim"]) -> Float[np.ndarray, "text dim"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 1e-12, lengths, 1.0)
