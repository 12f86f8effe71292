"""Which triggers a step of the search tries: AutoPrompt, universal triggers, greedy coordinates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from promptlab.errors import InputError
from promptlab.tuning.triggers.losses import Tokens

REACH = 4
"""Refused candidates are replaced by the next best, up to so many times the number wanted."""


@dataclass(frozen=True)
class ProposalStep:
    """What a proposal knows in one step.

    ``estimates`` ``[token, vocab]`` are first-order changes of the loss in nats, infinite where a
    vocabulary entry is not allowed; ``admits`` says whether a whole trigger is.
    """

    step: int
    tokens: Tokens
    estimates: Float[np.ndarray, "token vocab"]
    rng: np.random.Generator
    admits: Callable[[Tokens], bool]

    def best(self, position: int, count: int) -> Int[np.ndarray, " entry"]:
        """The allowed entries that promise most at a position, best first."""
        row = self.estimates[position]
        count = min(count, int(np.isfinite(row).sum()))
        chosen = np.argpartition(row, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)
        return chosen[np.argsort(row[chosen], kind="stable")]


class CandidateProposal(ABC):
    """A way to propose candidates; a step takes one or more rounds over a beam of triggers."""

    width: int = 1

    def rounds(self, turn: ProposalStep) -> int:
        """How often candidates are proposed and measured in a step."""
        return 1

    @abstractmethod
    def candidates(self, turn: ProposalStep, number: int, beam: Sequence[Tokens]) -> list[Tokens]:
        """What the round ``number`` (from 0) tries beside the triggers of the beam."""


@dataclass(frozen=True)
class AutoPrompt(CandidateProposal):
    """One position a step, its ``top`` entries by the first-order estimate (Shin et al. 2020).

    Positions come in turn (``cycle``) or at ``random``.
    """

    top: int = 10
    order: Literal["cycle", "random"] = "cycle"

    def __post_init__(self) -> None:
        require_positive("top", self.top)

    def candidates(self, turn: ProposalStep, number: int, beam: Sequence[Tokens]) -> list[Tokens]:
        """The ``top`` swaps at this step's position."""
        length = len(turn.tokens)
        random = self.order == "random"
        position = int(turn.rng.integers(length)) if random else turn.step % length
        return _swaps(turn, beam[0], position, self.top)


@dataclass(frozen=True)
class UniversalTrigger(CandidateProposal):
    """All positions from left to right with a beam of ``width`` triggers (Wallace et al. 2019)."""

    top: int = 10
    width: int = 1

    def __post_init__(self) -> None:
        require_positive("top", self.top)
        require_positive("width", self.width)

    def rounds(self, turn: ProposalStep) -> int:
        """One a position."""
        return len(turn.tokens)

    def candidates(self, turn: ProposalStep, number: int, beam: Sequence[Tokens]) -> list[Tokens]:
        """The ``top`` swaps of every trigger in the beam at the round's position."""
        return [trigger for held in beam for trigger in _swaps(turn, held, number, self.top)]


@dataclass(frozen=True)
class GreedyCoordinate(CandidateProposal):
    """``sample`` swaps drawn from the ``top`` entries of all positions (GCG; Zou et al. 2023).

    A candidate changes ``swaps`` positions at first and one from the step ``settle`` on.
    """

    top: int = 64
    sample: int = 64
    swaps: int = 1
    settle: int = 50

    def __post_init__(self) -> None:
        for name in ("top", "sample", "swaps", "settle"):
            require_positive(name, getattr(self, name))

    def changed(self, step: int) -> int:
        """How many positions a candidate changes at a step."""
        left = max(0.0, 1 - step / self.settle)
        return 1 + ceil((self.swaps - 1) * left)

    def candidates(self, turn: ProposalStep, number: int, beam: Sequence[Tokens]) -> list[Tokens]:
        """Distinct admissible draws, ``sample`` of them if there are as many."""
        entries = [turn.best(position, self.top) for position in range(len(turn.tokens))]
        open_positions = [position for position, row in enumerate(entries) if len(row)]
        found: dict[Tokens, None] = {}
        for _ in range(REACH * self.sample if open_positions else 0):
            if len(found) == self.sample:
                break
            drawn = self._draw(turn, beam[0], entries, open_positions)
            if drawn != beam[0] and drawn not in found and turn.admits(drawn):
                found[drawn] = None
        return list(found)

    def _draw(
        self,
        turn: ProposalStep,
        tokens: Tokens,
        entries: Sequence[Int[np.ndarray, " entry"]],
        positions: Sequence[int],
    ) -> Tokens:
        count = min(self.changed(turn.step), len(positions))
        for position in turn.rng.choice(positions, size=count, replace=False).tolist():
            tokens = swap_token(tokens, position, int(turn.rng.choice(entries[position])))
        return tokens


def swap_token(tokens: Tokens, position: int, entry: int) -> Tokens:
    """The trigger with another token at a position."""
    return (*tokens[:position], entry, *tokens[position + 1 :])


def require_positive(name: str, value: int) -> None:
    """Refuse a setting below one."""
    if value < 1:
        raise InputError(f"{name} of a trigger search is {value}; it is at least 1")


def _swaps(turn: ProposalStep, tokens: Tokens, position: int, count: int) -> list[Tokens]:
    def promising() -> Iterator[Tokens]:
        for entry in turn.best(position, REACH * count + 1).tolist():
            if entry != tokens[position]:
                yield swap_token(tokens, position, entry)

    return list(islice(filter(turn.admits, promising()), count))
