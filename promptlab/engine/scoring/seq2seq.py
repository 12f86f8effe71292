"""Encoder-decoder models: every context is encoded once, the answers are read by the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from promptlab.compat.transformers import EncoderDecoderCache, EncoderOutput
from promptlab.engine.kv_cache.state import KVState, cache_from_state
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.gather import GatherIndex, ResultCollector, slot_gathers
from promptlab.engine.scoring.request import ScoringRequest, ScoringResult
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import pad_rows, padding_mask


class Seq2SeqRunner(Runner):
    """The decoder starts with ``start`` (its start token, and the sentinel if there is one).

    A learned prefix is attended by the decoder's self-attention.
    """

    def __init__(self, network: Network, budget: TokenBudget, start: tuple[int, ...]) -> None:
        super().__init__(network, budget)
        self.start = start

    def run(self, requests: Sequence[ScoringRequest]) -> list[ScoringResult]:
        """One result a request."""
        results = ResultCollector()
        numbers, parts = list(range(len(requests))), list(requests)
        if self.single_rows:  # a decoder's rows, too, go through the network one by one
            numbers, parts = _split_continuations(requests)
        lengths = [
            len(q.context.ids) + sum(len(self.decoder_ids(q)) + len(tail) for tail in q.tails)
            for q in parts
        ]
        self.budget.run(
            lengths,
            lambda batch: self._batch(
                [numbers[item] for item in batch], [parts[item] for item in batch], results
            ),
        )
        return results.results(len(requests))

    def _batch(
        self, batch: list[int], chosen: Sequence[ScoringRequest], results: ResultCollector
    ) -> None:
        device = self.network.device
        contexts = [request.context.ids for request in chosen]
        rows, owners, gathers = self.rows(chosen, batch, affine=self.network.head_is_linear)
        mask = padding_mask(contexts, device)
        # Nothing is hidden where all contexts are as long: that is the plain forward.
        seen = {} if mask.all() else {"attention_mask": mask}
        encoded = self.network.run_encoder(input_ids=pad_rows(contexts, device), **seen)
        owner = torch.tensor(owners, device=device)
        results.gather(
            self.network,
            gathers,
            encoder_outputs=EncoderOutput(last_hidden_state=encoded[owner]),
            decoder_input_ids=pad_rows(rows, device),
            **{name: hidden[owner] for name, hidden in seen.items()},
            **decoder_cache_inputs(self.network, self.prefix),
        )
        self.computed_tokens += sum(map(len, contexts)) + sum(map(len, rows))

    def decoder_ids(self, request: ScoringRequest) -> tuple[int, ...]:
        """The tokens that the decoder has read before the answer."""
        return self.start if request.context.decoder_ids is None else request.context.decoder_ids

    def rows(
        self, requests: Sequence[ScoringRequest], numbers: Sequence[int], *, affine: bool
    ) -> tuple[list[tuple[int, ...]], list[int], list[GatherIndex]]:
        """The decoder's rows, the request (by place) each belongs to, and where to read them."""
        rows: list[tuple[int, ...]] = []
        owners: list[int] = []
        gathers: list[GatherIndex] = []
        for owner, (request, number) in enumerate(zip(requests, numbers, strict=True)):
            start = self.decoder_ids(request)
            slot = len(start) - 1
            for count, tail in enumerate(request.tails):
                if count == 0:
                    gathers.extend(
                        slot_gathers(request, number, len(rows), slot, head_is_linear=affine)
                    )
                for offset, target in enumerate(tail[1:], start=1):
                    gathers.append(GatherIndex(number, len(rows), slot + offset, target, (tail,)))
                rows.append(start + tail[:-1])
                owners.append(owner)
        return rows, owners, gathers


def decoder_cache_inputs(network: Network, prefix: KVState | None) -> dict[str, Any]:
    """The decoder's arguments for a learned prefix, or for none."""
    if prefix is None:
        return {"use_cache": False}
    layers = network.layer_count
    cache = EncoderDecoderCache(cache_from_state(prefix, layers), cache_from_state(None, layers))
    return {**network.cache_inputs(cache), "use_cache": True}


def _split_continuations(
    requests: Sequence[ScoringRequest],
) -> tuple[list[int], list[ScoringRequest]]:
    """Every continuation as a request of its own, with the number of the whole one."""
    numbers: list[int] = []
    parts: list[ScoringRequest] = []
    for number, request in enumerate(requests):
        for tail in request.continuations or (None,):
            numbers.append(number)
            parts.append(ScoringRequest(request.context, () if tail is None else (tail,)))
    return numbers, parts
