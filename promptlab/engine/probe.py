"""Reading a network at places, and collecting what was found into replies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from promptlab.engine.kept import KeptStates
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network import Network
from promptlab.engine.prefix import PrefixState
from promptlab.engine.question import Question, Reply


@runtime_checkable
class Runner(Protocol):
    """Answers questions about distinct contexts and counts the tokens it computed."""

    budget: TokenBudget
    computed_tokens: int
    prefix: PrefixState | None
    kept: KeptStates | None
    alone: bool

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question, in order."""
        ...

    def after(self, prefix: PrefixState) -> Runner:
        """A runner on the same network whose rows all attend a learned prefix."""
        ...

    def over(self, network: Network) -> Runner:
        """The same runner on another network, with a budget of its own."""
        ...

    def keeping(self, kept: KeptStates | None) -> Runner:
        """The same runner with this memory of states (or none)."""
        ...


class FamilyRunner:
    """What the runners of all families share: network, budget, count and learned prefix."""

    def __init__(self, network: Network, budget: TokenBudget) -> None:
        self.network = network
        self.budget = budget
        self.computed_tokens = 0
        self.prefix: PrefixState | None = None
        self.kept: KeptStates | None = None
        self.alone = False

    def by_itself(self) -> Runner:
        """This runner with one row in every forward: what it gives depends on no other row."""
        self.alone = True
        self.budget = TokenBudget(1)
        return cast(Runner, self)

    def after(self, prefix: PrefixState) -> Runner:
        """A runner on the same network whose rows all attend a learned prefix."""
        other = copy.copy(self)
        other.prefix = prefix
        other.kept = None
        return cast(Runner, other)

    def over(self, network: Network) -> Runner:
        """The same runner on another network, with a budget of its own."""
        other = copy.copy(self)
        other.network = network
        other.budget = TokenBudget(self.budget.tokens)
        other.computed_tokens = 0
        other.kept = None
        return cast(Runner, other)

    def keeping(self, kept: KeptStates | None) -> Runner:
        """The same runner with this memory of states (or none)."""
        other = copy.copy(self)
        other.kept = kept
        return cast(Runner, other)


@dataclass(frozen=True)
class Probe:
    """A place to read: ``row`` and ``column`` of a batch.

    It serves question ``question``: its slot, or (with ``tails``) the token ``target`` that each
    of these continuations has next.
    """

    question: int
    row: int
    column: int
    target: int = -1
    tails: tuple[tuple[int, ...], ...] = ()


@dataclass
class Replies:
    """Replies in the making, by the index of their question."""

    slots: dict[int, tuple[Float[np.ndarray, " dim"], float]] = field(default_factory=dict)
    tails: dict[int, dict[tuple[int, ...], float]] = field(default_factory=dict)

    def probe(self, network: Network, probes: Sequence[Probe], **inputs: object) -> None:
        """Run one batch and keep what its probes found."""
        device = network.device
        found = network.probe(
            torch.tensor([p.row for p in probes], device=device),
            torch.tensor([p.column for p in probes], device=device),
            torch.tensor([p.target for p in probes], device=device),
            **inputs,
        )
        features = found.features.cpu().numpy()
        normalisers, targets = found.log_normaliser.tolist(), found.target.tolist()
        for index, probe in enumerate(probes):
            if not probe.tails:
                self.slots[probe.question] = (features[index].copy(), normalisers[index])
            tails = self.tails.setdefault(probe.question, {})
            for tail in probe.tails:
                tails[tail] = tails.get(tail, 0.0) + targets[index]

    def finished(self, count: int) -> list[Reply]:
        """The replies to questions 0 to ``count`` - 1."""
        return [Reply(*self.slots[i], self.tails.get(i, {})) for i in range(count)]


def slot_probes(
    question: Question, index: int, row: int, column: int, *, affine: bool
) -> Iterator[Probe]:
    """Read the slot; without an affine head also every continuation's first token there.

    With an affine head the first token's likelihood is a product of the feature, so any later
    answer is scored without the network.
    """
    yield Probe(index, row, column)
    if affine:
        return
    starts: dict[int, list[tuple[int, ...]]] = {}
    for continuation in question.continuations:
        starts.setdefault(continuation[0], []).append(continuation)
    for target, tails in starts.items():
        yield Probe(index, row, column, target, tuple(tails))


def padded(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "row token"]:
    """Token ids padded on the right with 0."""
    ids = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
    return ids.to(device)


def padding_mask(rows: Sequence[Sequence[int]], device: torch.device) -> Int[Tensor, "row token"]:
    """1 where a row of `padded` has a token."""
    lengths = torch.tensor([len(row) for row in rows])
    return (torch.arange(int(lengths.max()))[None] < lengths[:, None]).long().to(device)


def additive(mask: Bool[Tensor, "*shape"], dtype: torch.dtype) -> Tensor:
    """A boolean mask as what is added to the attention scores."""
    full = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    return full.masked_fill_(~mask, torch.finfo(dtype).min)
