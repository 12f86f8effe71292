"""Losses of triggers, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

Tokens = tuple[int, ...]
"""Token ids of a trigger, all segments of the template in a row."""


@runtime_checkable
class TriggerScorer(Protocol):
    """Losses of triggers on a labelled set whose examples are known by their index."""

    @property
    def vocabulary(self) -> int:
        """The number of tokens that a trigger may be made of."""
        ...

    def losses(
        self, tokens: Sequence[Tokens], examples: Sequence[int]
    ) -> Float[np.ndarray, "candidate example"]:
        """Loss in nats of every candidate trigger on every example."""
        ...

    def gradient(self, tokens: Tokens, examples: Sequence[int]) -> Float[np.ndarray, "token vocab"]:
        """First-order change in nats of the mean loss if a token became a vocabulary entry.

        ``(E_v - E_current) . dL/dE``, so lower is better (HotFlip; Ebrahimi et al. 2018).
        """
        ...

    def dev_score(self, tokens: Tokens) -> float:
        """How good a trigger is on the dev set; larger is better."""
        ...


@dataclass(frozen=True)
class AdversarialScorer:
    """An oracle turned round: the search makes the model as wrong as it can.

    Wallace et al. 2019 without a target label. With one, give the examples that label instead and
    minimise: the losses of a wrong label are bounded below, so that search settles.
    """

    oracle: TriggerScorer

    @property
    def vocabulary(self) -> int:
        """The number of tokens that a trigger may be made of."""
        return self.oracle.vocabulary

    def losses(
        self, tokens: Sequence[Tokens], examples: Sequence[int]
    ) -> Float[np.ndarray, "candidate example"]:
        """Negated losses in nats."""
        return -self.oracle.losses(tokens, examples)

    def gradient(self, tokens: Tokens, examples: Sequence[int]) -> Float[np.ndarray, "token vocab"]:
        """Negated first-order change in nats."""
        return -self.oracle.gradient(tokens, examples)

    def dev_score(self, tokens: Tokens) -> float:
        """Negated dev score."""
        return -self.oracle.dev_score(tokens)


REMEMBERED = 4_000_000
"""So many losses are kept: 32 MB."""


class LossCache:
    """An oracle's losses, remembered by trigger and example.

    What is not a number counts as infinitely bad: it loses every comparison. ``limit`` is how
    many losses are kept (0: none); the triggers not asked for longest are forgotten first.
    """

    def __init__(self, oracle: TriggerScorer, examples: int, limit: int = REMEMBERED) -> None:
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
