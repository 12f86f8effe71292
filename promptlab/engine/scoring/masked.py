"""Masked models: the slot's position alone through the head, rows bucketed by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from promptlab.engine.kv_cache.state import KVState, cache_from_state
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.gather import GatherIndex, ResultCollector, slot_gathers
from promptlab.engine.scoring.request import ScoringRequest, ScoringResult
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import additive_mask, pad_rows, padding_mask


class MaskedRunner(Runner):
    """One row a context, and one for every start of a continuation that follows the slot.

    An answer of k tokens has the likelihood of k mask tokens filled from left to right,
    log P(z) = sum over i of log P(z_i | z_<i, masks for the rest): a distribution over all
    answers of k tokens, unlike the mean over one position's logits.
    """

    def run(self, requests: Sequence[ScoringRequest]) -> list[ScoringResult]:
        """One result a request; its continuations are as long as its context has masks."""
        rows: list[tuple[int, ...]] = []
        gathers: list[tuple[GatherIndex, ...]] = []
        for index, request in enumerate(requests):
            for row, places in masked_rows(request, index, affine=self.network.head_is_linear):
                rows.append(row)
                gathers.append(places)
        results = ResultCollector()

        def work(batch: list[int]) -> None:
            tokens = [rows[item] for item in batch]
            placed = [
                replace(gather, row=row)
                for row, item in enumerate(batch)
                for gather in gathers[item]
            ]
            results.gather(self.network, placed, **masked_inputs(self.network, tokens, self.prefix))
            self.computed_tokens += sum(map(len, tokens))

        self.budget.run([len(row) for row in rows], work)
        return results.results(len(requests))


def masked_inputs(
    network: Network, tokens: Sequence[tuple[int, ...]], prefix: KVState | None
) -> dict[str, Any]:
    """Ids and attention mask of rows, and a learned prefix that all of them attend."""
    ids, mask = pad_rows(tokens, network.device), padding_mask(tokens, network.device)
    if prefix is None:
        # Nothing is hidden where all rows are as long: that is the plain forward.
        return {"input_ids": ids} | ({} if mask.all() else {"attention_mask": mask})
    seen = torch.ones((len(tokens), prefix.length), dtype=torch.long, device=network.device)
    whole = torch.cat([seen, mask], dim=1).bool()[:, None, None]
    return {
        "input_ids": ids,
        "attention_mask": additive_mask(whole.expand(-1, 1, ids.shape[1], -1), network.dtype),
        **network.cache_inputs(
            cache_from_state(prefix, network.layer_count, takes_positions=False)
        ),
    }


def masked_rows(
    request: ScoringRequest, index: int, *, affine: bool
) -> Iterator[tuple[tuple[int, ...], tuple[GatherIndex, ...]]]:
    """The slot's row, then a row for each distinct start that fills some of the masks."""
    ids, position = request.context.ids, request.context.position
    yield ids, tuple(slot_gathers(request, index, 0, position, head_is_linear=affine))
    wanted: dict[tuple[int, ...], dict[int, list[tuple[int, ...]]]] = {}
    for continuation in request.continuations:
        for filled in range(1, len(continuation)):
            targets = wanted.setdefault(continuation[:filled], {})
            targets.setdefault(continuation[filled], []).append(continuation)
    for start, targets in wanted.items():
        place = position + len(start)
        yield (
            ids[:position] + start + ids[place:],
            tuple(GatherIndex(index, 0, place, target, tuple(c)) for target, c in targets.items()),
        )
