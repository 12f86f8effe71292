"""Losses of triggers, each computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from promptlab.tuning.triggers.oracle import Tokens, TriggerOracle

REMEMBERED = 4_000_000
"""So many losses are kept: 32 MB."""


class Losses:
    """An oracle's losses, remembered by trigger and example.

    What is not a number counts as infinitely bad: it loses every comparison. ``limit`` is how
    many losses are kept (0: none); the triggers not asked for longest are forgotten first.
    """

    def __init__(self, oracle: TriggerOracle, examples: int, limit: int = REMEMBERED) -> None:
        self.oracle = oracle
        self.examples = examples
        self.triggers = limit // max(1, examples)
        self.computed = 0
        self._known: dict[Tokens, Float[np.ndarray, " example"]] = {}

    def __call__(
        self, tokens: Sequence[Tokens], examples: Sequence[int]
    ) -> Float[np.ndarray, "candidate example"]:
        """Loss in nats of every trigger on every example."""
        if not self.triggers:
            return self._ask(list(tokens), list(examples))
        index = np.asarray(examples, dtype=np.int64)
        rows = {trigger: self._row(trigger) for trigger in tokens}
        wanted: dict[tuple[int, ...], list[Tokens]] = {}
        for trigger, row in rows.items():
            missing = tuple(index[np.isnan(row[index])].tolist())
            if missing:
                wanted.setdefault(missing, []).append(trigger)
        for missing, group in wanted.items():
            found = self._ask(group, list(missing))
            for trigger, values in zip(group, found, strict=True):
                rows[trigger][list(missing)] = values
        self._forget()
        return np.stack([rows[trigger][index] for trigger in tokens])

    def _row(self, trigger: Tokens) -> Float[np.ndarray, " example"]:
        row = self._known.pop(trigger, None)
        self._known[trigger] = np.full(self.examples, np.nan) if row is None else row
        return self._known[trigger]

    def _forget(self) -> None:
        while len(self._known) > self.triggers:
            del self._known[next(iter(self._known))]

    def _ask(
        self, tokens: list[Tokens], examples: list[int]
    ) -> Float[np.ndarray, "candidate example"]:
        found = np.asarray(self.oracle.losses(tokens, examples), dtype=np.float64)
        self.computed += found.size
        return np.where(np.isnan(found), np.inf, found)
