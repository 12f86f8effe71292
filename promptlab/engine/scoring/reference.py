"""Reference log-likelihoods by plain forwards: one row, no padding, no cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from promptlab.engine.network.network import Network
from promptlab.engine.scoring.request import ScoringRequest

LocalFamily = Literal["causal", "masked", "seq2seq"]
"""From left to right, at mask tokens, or by a decoder."""


@dataclass(frozen=True)
class _Row:
    """One forward's inputs, and which tokens are read after which of its places."""

    inputs: dict[str, Any]
    places: tuple[int, ...]
    targets: tuple[int, ...]


def reference_scores(
    network: Network,
    reading: LocalFamily,
    requests: Sequence[ScoringRequest],
    start: Sequence[int] = (),
) -> list[list[float]]:
    """For every request the log-likelihoods in nats of its continuations.

    Every other way to compute them has to give the same. ``start`` are the tokens that a decoder
    begins with. Raises what the model raises.
    """
    return [
        [
            sum(_read(network, row) for row in _rows(network, reading, request, tail, start))
            for tail in request.continuations
        ]
        for request in requests
    ]


def _read(network: Network, row: _Row) -> float:
    logits: Tensor = network.plain_logits(**row.inputs)[0, list(row.places)].float()
    found = logits.log_softmax(-1)
    return float(found[torch.arange(len(row.places)), list(row.targets)].sum())


def _rows(
    network: Network,
    reading: LocalFamily,
    request: ScoringRequest,
    tail: tuple[int, ...],
    start: Sequence[int],
) -> Iterator[_Row]:
    ids, position = request.context.ids, request.context.position
    if reading == "masked":
        for filled, token in enumerate(tail):
            place = position + filled
            row = (*ids[:position], *tail[:filled], *ids[place:])
            yield _Row({"input_ids": _tensor(network, row)}, (place,), (token,))
        return
    if reading == "causal":
        inputs, first = {"input_ids": _tensor(network, (*ids, *tail))}, len(ids) - 1
    else:
        decoder = _tensor(network, (*start, *tail))
        inputs = {"input_ids": _tensor(network, ids), "decoder_input_ids": decoder}
        first = len(start) - 1
    yield _Row(inputs, tuple(range(first, first + len(tail))), tail)


def _tensor(network: Network, ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids)], device=network.device)
