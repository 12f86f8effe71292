"""A writer of prompts that only counts: its replies are new words each time, out of no data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

from promptlab.candidates.base import Kind
from promptlab.models.base import LanguageModel
from promptlab.study.estimate.dry_model import DryModel

_WRITER = "_named_writer"
"""Where a kind keeps the model that its setting ``writer`` names; ``None`` for the study's own."""
_LETTERS = "bcdfghklmnprstvw"


class DryWriter(DryModel):
    """A `DryModel` whose replies are kept by filters: none repeats another one or a text."""

    def __init__(self, model: LanguageModel, share: float) -> None:
        super().__init__(model, share, "")
        self._chance = random.Random(13)

    def _text(self, tokens: int) -> str:
        words = ("".join(self._chance.choices(_LETTERS, k=2)) for _ in range(tokens))
        return self.inner.truncate(" ".join(words), tokens)


def named_writer(kind: Kind, model: LanguageModel) -> LanguageModel | None:
    """Who writes for the kind: the model that it names, else the study's own; ``None``: nobody."""
    return (getattr(kind, _WRITER) or model) if hasattr(type(kind), _WRITER) else None


@contextmanager
def writing_dry(kind: Kind, model: LanguageModel, share: float) -> Iterator[DryWriter | None]:
    """While inside, whoever writes for the kind is asked nothing; it is counted what he would be.

    Gives the writer, or ``None`` for a kind that has none. ``model`` is the study's own, which
    writes where no other one is named.
    """
    if not hasattr(type(kind), _WRITER):
        yield None
        return
    named = getattr(kind, _WRITER)
    writer = DryWriter(named or model, share)
    vars(kind)[_WRITER] = writer
    try:
        yield writer
    finally:
        vars(kind)[_WRITER] = named
