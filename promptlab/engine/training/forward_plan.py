"""The forward of a batch of training items: its inputs, and the places where it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.scoring.gather import GatherIndex
from promptlab.engine.scoring.request import ScoringRequest


@dataclass(frozen=True, eq=False)
class TrainingItem:
    """One training example: its requests, which are scored in one batch.

    ``state`` holds the keys and values of the first tokens of every context: a learned prefix
    (with its graph), or those of words that stand before all that is learned.
    """

    requests: tuple[ScoringRequest, ...]
    state: KVState | None = None

    @property
    def start(self) -> int:
        """Tokens that ``state`` stands for."""
        return self.state.length if self.state is not None else 0

    @property
    def attended(self) -> int:
        """The most tokens that one token of its rows may attend."""
        return max(
            len(q.context.ids) + sum(len(c) - 1 for c in q.continuations) for q in self.requests
        )


@dataclass
class ForwardPlan:
    """Inputs of one forward, and the terms whose sums are the log-likelihoods.

    A term is one target token at one place (row, column); it belongs to one continuation.
    ``owners_of`` says for (item, request) which of the continuations are its.
    """

    inputs: dict[str, Any]
    tokens: int
    owners_of: dict[tuple[int, int], tuple[int, int]] = attribute(default_factory=dict)
    owners: list[tuple[int, int]] = attribute(default_factory=list)
    _places: dict[tuple[int, int], int] = attribute(default_factory=dict)
    _terms: list[tuple[int, int, int]] = attribute(default_factory=list)

    def add_gathers(
        self, items: Sequence[TrainingItem], gathers: Iterable[GatherIndex]
    ) -> ForwardPlan:
        """Add terms for the gathers; a gather's ``request`` counts through all items' requests."""
        number: dict[tuple[int, tuple[int, ...]], int] = {}
        count = 0
        for index, item in enumerate(items):
            for which, request in enumerate(item.requests):
                begin = len(self.owners)
                for continuation in request.continuations:
                    number[count, continuation] = len(self.owners)
                    self.owners.append((index, which))
                self.owners_of[index, which] = (begin, len(self.owners))
                count += 1
        for gather in gathers:
            if gather.target < 0:
                continue
            place = self._places.setdefault((gather.row, gather.column), len(self._places))
            for continuation in gather.continuations:
                self._terms.append((number[gather.request, continuation], place, gather.target))
        return self

    def places(self, device: torch.device) -> tuple[Int[Tensor, " place"], Int[Tensor, " place"]]:
        """Rows and columns to read."""
        places = torch.tensor(list(self._places), device=device)
        return places[:, 0], places[:, 1]

    @property
    def term_owners(self) -> Int[Tensor, " term"]:
        """The continuation each term belongs to."""
        return torch.tensor([owner for owner, _, _ in self._terms])

    @property
    def term_places(self) -> Int[Tensor, " term"]:
        """The place where each term is read."""
        return torch.tensor([place for _, place, _ in self._terms])

    @property
    def targets(self) -> Int[Tensor, " term"]:
        """Each term's token id."""
        return torch.tensor([target for _, _, target in self._terms])


@runtime_checkable
class ForwardPlanner(Protocol):
    """How the items of one family become a forward."""

    needs_equal_prefixes: bool

    def length(self, item: TrainingItem) -> int:
        """Tokens that go through the network for an item."""

    def plan(self, items: Sequence[TrainingItem]) -> ForwardPlan:
        """One forward for all items."""
