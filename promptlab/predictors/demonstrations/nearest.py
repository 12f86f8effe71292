"""Demonstrations of its own for every input: the training examples nearest to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from jaxtyping import Int

from promptlab.data.example import Example
from promptlab.models.base import LanguageModel
from promptlab.predictors.demonstrations.choice import order_examples
from promptlab.predictors.demonstrations.sampling import round_robin, sample_examples
from promptlab.predictors.retrieval import make_index, rank

if TYPE_CHECKING:
    from promptlab.predictors.demonstrations.choice import DemonstrationConfig

MAX_POOL_EXAMPLES = 1000
"""Of more labelled training examples so many are drawn (seeded, the classes taking turns)."""


class NearestDemonstrations:
    """The pool that demonstrations are taken from, and which of it are nearest to an example.

    An example never demonstrates itself: what has its text (without case and runs of white space)
    is passed over, so fewer may be left than are asked for.
    """

    def __init__(
        self,
        choice: DemonstrationConfig,
        pool: Sequence[Example],
        fields: Sequence[str],
        model: LanguageModel,
    ) -> None:
        self.choice = choice
        self.pool = cap_pool(pool, choice.seed)
        self.fields = tuple(fields)
        self.index = make_index(
            choice.similarity, [example_text(e, fields) for e in self.pool], model
        )
        self._keys = [_key(text) for text in self.index.texts]
        self._found: dict[str, list[Example]] = {}

    def select(self, example: Example) -> list[Example]:
        """The example's demonstrations in order."""
        text = example_text(example, self.fields)
        if text not in self._found:
            self.prepare([example])
        return self._found[text]

    def prepare(self, examples: Sequence[Example]) -> None:
        """Find the demonstrations of many examples at once."""
        texts = dict.fromkeys(example_text(example, self.fields) for example in examples)
        new = [text for text in texts if text not in self._found]
        if not new:
            return
        for text, places in zip(new, rank(self.index.scores(new)), strict=True):
            self._found[text] = self._select(_key(text), places)

    def _select(self, own: str, places: Int[np.ndarray, " text"]) -> list[Example]:
        others = [int(place) for place in places if self._keys[place] != own]
        near = [self.pool[place] for place in others]
        count = self.choice.count
        if self.choice.balanced:
            groups: dict[str | None, list[Example]] = {}
            for example in near:  # the class of the nearest has the first turn
                groups.setdefault(example.label, []).append(example)
            taken = {id(example) for example in round_robin(list(groups.values()), count)}
            near = [example for example in near if id(example) in taken]
        return order_examples(near[:count], str(self.choice.order), self.choice.seed, self.pool)

    def settings(self) -> list[dict[str, Any]]:
        """The pool as plain JSON data; the index is made anew from it."""
        return [{"id": e.id, "fields": dict(e.fields), "label": e.label} for e in self.pool]

    @classmethod
    def from_settings(
        cls,
        settings: Sequence[Mapping[str, Any]],
        choice: DemonstrationConfig,
        fields: Sequence[str],
        model: LanguageModel,
    ) -> Self:
        """The inverse of `settings`."""
        return cls(choice, [Example(**entry) for entry in settings], fields, model)


def example_text(example: Example, fields: Sequence[str]) -> str:
    """What examples are compared by: the fields that the template reads, one below the other."""
    return "\n".join(str(example.fields.get(name, "")) for name in fields)


def cap_pool(pool: Sequence[Example], seed: int, limit: int = MAX_POOL_EXAMPLES) -> list[Example]:
    """The pool, or a seeded draw of ``limit`` of it in its own order."""
    if len(pool) <= limit:
        return list(pool)
    kept = {id(example) for example in sample_examples(pool, limit, seed, balanced=True)[0]}
    return [example for example in pool if id(example) in kept]


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
