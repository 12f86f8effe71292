"""The texts that a predictor was fitted on or chosen by: nothing to measure it by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example

_DIGITS = 16  # of a hash: among a million texts two agree by chance once in 37 million


@dataclass(frozen=True)
class SeenTexts:
    """Hashes of texts, so that no text itself is saved: of ``train`` and of ``dev`` examples."""

    train: frozenset[str] = frozenset()
    dev: frozenset[str] = frozenset()

    def with_examples(
        self, train: Iterable[Example], dev: Iterable[Example], fields: Sequence[str]
    ) -> Self:
        """These texts and more.

        Args:
            train: Examples that something was learned from.
            dev: Examples that something was chosen by.
            fields: The fields that the predictor reads; others do not count.

        Returns:
            All of them.
        """
        return type(self)(
            self.train | {_hash(example, fields) for example in train},
            self.dev | {_hash(example, fields) for example in dev},
        )

    def has(self, example: Example, fields: Sequence[str]) -> bool:
        """Whether the example's text is among them, written in whatever case and white space."""
        if not self.train and not self.dev:
            return False
        found = _hash(example, fields)
        return found in self.train or found in self.dev

    def record(self) -> dict[str, list[str]]:
        """Plain JSON data."""
        return {"train": sorted(self.train), "dev": sorted(self.dev)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> Self:
        """The inverse of `record`; of predictors that were saved without it nothing is known."""
        record = record or {}
        return cls(frozenset(record.get("train", ())), frozenset(record.get("dev", ())))


def _hash(example: Example, fields: Sequence[str]) -> str:
    read = {name: example.fields[name] for name in fields if name in example.fields}
    key = text_key(Example(example.id, read))
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
