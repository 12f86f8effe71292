"""Where a batch is read, and collecting what was found there into results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float

from promptlab.engine.network.network import Network
from promptlab.engine.scoring.request import ScoringRequest, ScoringResult


@dataclass(frozen=True)
class GatherIndex:
    """A place of a batch that is read, and what for.

    Attributes:
        request: index of the request that it serves.
        row: row of the batch.
        column: column of the batch.
        target: token id whose log-probability is wanted; -1 for none.
        continuations: those that have ``target`` next; none where the request's slot is read.
    """

    request: int
    row: int
    column: int
    target: int = -1
    continuations: tuple[tuple[int, ...], ...] = ()


@dataclass
class ResultCollector:
    """Collects what batches give into results, by the index of their request."""

    slots: dict[int, tuple[Float[np.ndarray, " dim"], float]] = field(default_factory=dict)
    tails: dict[int, dict[tuple[int, ...], float]] = field(default_factory=dict)

    def gather(self, network: Network, gathers: Sequence[GatherIndex], **inputs: object) -> None:
        """Run one batch and keep what is read at its places."""
        device = network.device
        found = network.gather(
            torch.tensor([one.row for one in gathers], device=device),
            torch.tensor([one.column for one in gathers], device=device),
            torch.tensor([one.target for one in gathers], device=device),
            **inputs,
        )
        features = found.features.cpu().numpy()
        normalisers, targets = found.log_normaliser.tolist(), found.target_logprob.tolist()
        for index, gather in enumerate(gathers):
            if not gather.continuations:
                self.slots[gather.request] = (features[index].copy(), normalisers[index])
            tails = self.tails.setdefault(gather.request, {})
            for tail in gather.continuations:
                tails[tail] = tails.get(tail, 0.0) + targets[index]

    def results(self, count: int) -> list[ScoringResult]:
        """The results to requests 0 to ``count`` - 1."""
        return [ScoringResult(*self.slots[i], self.tails.get(i, {})) for i in range(count)]


def slot_gathers(
    request: ScoringRequest, index: int, row: int, column: int, *, head_is_linear: bool
) -> Iterator[GatherIndex]:
    """Read the slot; without a linear head also every continuation's first token there.

    With a linear head the first token's likelihood is a product of the feature, so any later
    answer is scored without the network.
    """
    yield GatherIndex(index, row, column)
    if head_is_linear:
        return
    starts: dict[int, list[tuple[int, ...]]] = {}
    for continuation in request.continuations:
        starts.setdefault(continuation[0], []).append(continuation)
    for target, tails in starts.items():
        yield GatherIndex(index, row, column, target, tuple(tails))
