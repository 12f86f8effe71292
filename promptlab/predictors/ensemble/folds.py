"""Dev examples in folds, so that what is learned on dev can be judged on dev."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example


class Folds:
    """Which fold an example belongs to, by its text; none for an example that nothing was
    learned from.
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        self.places = dict(places)

    @property
    def count(self) -> int:
        """The number of folds."""
        return max(self.places.values(), default=-1) + 1

    def of(self, example: Example) -> int | None:
        """The example's fold."""
        return self.places.get(fold_key(example))

    @classmethod
    def assign(cls, examples: Sequence[Example], count: int, seed: int) -> Folds:
        """Folds with the labels' shares of all; equal texts are in one fold.

        Fewer than two different texts cannot be divided and make no folds.
        """
        labels: dict[str, str] = {}
        for example in examples:
            labels.setdefault(fold_key(example), example.label or "")
        if len(labels) < 2:
            return cls({})
        order = sorted(labels, key=lambda key: (labels[key], _drawn(seed, key)))
        return cls({key: place % min(count, len(order)) for place, key in enumerate(order)})


def fold_key(example: Example) -> str:
    """A short hash of an example's text."""
    return hashlib.sha256(text_key(example).encode()).hexdigest()[:16]


def _drawn(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed} {key}".encode()).hexdigest()
