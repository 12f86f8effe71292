"""What a trigger search asks of a model and a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

Tokens = tuple[int, ...]
"""Token ids of a trigger, all segments of the template in a row."""


@runtime_checkable
class TriggerOracle(Protocol):
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
class Adversarial:
    """An oracle turned round: the search makes the model as wrong as it can.

    Wallace et al. 2019 without a target label. With one, give the examples that label instead and
    minimise: the losses of a wrong label are bounded below, so that search settles.
    """

    oracle: TriggerOracle

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
