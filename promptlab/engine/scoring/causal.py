"""Causal models: shared prefixes, branches, and only the slot through the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from promptlab.engine.kv_cache.prefix_tree import MIN_SHARED_TOKENS, PrefixNode, prefix_tree
from promptlab.engine.kv_cache.radix_cache import MIN_CACHED_TOKENS, NO_TOKEN_ID
from promptlab.engine.kv_cache.stacking import inputs_after_prefix
from promptlab.engine.kv_cache.state import KVState, cache_from_state, to_kv_state
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.branching import (
    Branch,
    branch_mask,
    branched_row,
    branched_row_length,
)
from promptlab.engine.scoring.gather import GatherIndex, ResultCollector, slot_gathers
from promptlab.engine.scoring.request import ScoringRequest, ScoringResult
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import pad_rows

MAX_BRANCH_TOKENS = 64
"""Branches in a row have at most so many tokens, or as many as the context if that is longer."""
COPY_COST_DIVISOR = 4
"""A kept token of a row's own state counts as the fourth of a computed one in a batch."""


@dataclass(frozen=True)
class _Part:
    """A request, or as many of its continuations as go into one row; ``index`` is the whole's."""

    index: int
    request: ScoringRequest


class CausalRunner(Runner):
    """Shared prefixes once, then one row a context with its continuations as branches.

    A branch attends the context and itself, not its siblings, so a context is computed once for
    any number of multi-token answers. Ragged rows need no padding mask: a causal model cannot
    see what stands to the right. Without ``shares`` (sliding windows, recurrent layers) every
    continuation gets a plain row of its own. A learned prefix of n tokens stands for the first n
    ids of every context.
    """

    def __init__(self, network: Network, budget: TokenBudget, *, can_share_prefixes: bool) -> None:
        super().__init__(network, budget)
        self.can_share_prefixes = can_share_prefixes

    def run(self, requests: Sequence[ScoringRequest]) -> list[ScoringResult]:
        """One result a request; contexts must be distinct and not empty."""
        results = ResultCollector()
        if not self.can_share_prefixes:
            self._run_plain(requests, results)
        elif requests:
            parts = [
                part for index, q in enumerate(requests) for part in _split_into_rows(q, index)
            ]
            start = self.prefix.length if self.prefix else 0
            contexts = [part.request.context.ids for part in parts]
            recent = self.kv_cache.recent_contexts if self.kv_cache else []
            tree = prefix_tree([ids[start:] for ids in (*contexts, *recent)])
            self._walk(tree, contexts[0][:start], parts, self.prefix, results)
            if self.kv_cache:
                self.kv_cache.record_contexts([request.context.ids for request in requests])
        return results.results(len(requests))

    def _walk(
        self,
        node: PrefixNode,
        path: tuple[int, ...],
        parts: Sequence[_Part],
        state: KVState | None,
        results: ResultCollector,
    ) -> None:
        """Answer the node's rows and those below it; ``path`` leads to the node's parent.

        Rows beyond ``parts`` are contexts of earlier calls: they show what is worth keeping.
        """
        path += node.ids
        if node.ids:
            state = self._shared_state(
                path, len(node.ids), sum(1 for _ in node.rows_below()), state
            )
        rows = [parts[index] for index in node.rows if index < len(parts)]
        children = []
        for child in node.children:
            found = [parts[index] for index in child.rows_below() if index < len(parts)]
            if len(found) == 1 and not self._is_worth_sharing(child, path, found[0]):
                rows += found  # in a batch with others
            elif found:
                children.append(child)
        if rows:
            self._run_rows(rows, state, results)
        for child in children:
            self._walk(child, path, parts, state, results)

    def _is_worth_sharing(self, node: PrefixNode, path: tuple[int, ...], part: _Part) -> bool:
        """Whether what a row alone shares with earlier calls is more than what was kept of it."""
        ids, end = part.request.context.ids, len(path)
        below: PrefixNode | None = node
        while below is not None:
            end += len(below.ids)
            below = next((n for n in below.children if n.ids == ids[end : end + len(n.ids)]), None)
        return end - self._cached_length(part, 0) >= MIN_SHARED_TOKENS

    def _shared_state(
        self, path: tuple[int, ...], own: int, rows: int, state: KVState | None
    ) -> KVState:
        """The state of ``path``, the last ``own`` tokens of which ``rows`` rows share.

        From what was kept, but for a few last tokens that are cheaper computed with each row.
        """
        start = state.length if state else 0
        known = self._cached_state((*path, NO_TOKEN_ID), start + 1)
        if known is not None:
            state, start = known, known.length
            if (len(path) - start) * (rows - 1) < MIN_SHARED_TOKENS:
                return known
        if start < len(path):
            state = self._prefill(path[start:], state)
            if self.kv_cache and own >= MIN_SHARED_TOKENS:
                self.kv_cache.insert(path, state)
        assert state is not None
        return state

    def _cached_state(self, ids: tuple[int, ...], least: int) -> KVState | None:
        """The kept state of a beginning of ``ids`` with at least ``least`` tokens."""
        if self.kv_cache is None or self.kv_cache.cached_length(ids) < least:
            return None
        found = self.kv_cache.longest_prefix(ids)
        # Another thread may have pushed it out meanwhile.
        return found if found is not None and found.length >= least else None

    def _run_rows(
        self, parts: Sequence[_Part], state: KVState | None, results: ResultCollector
    ) -> None:
        """Rows that start from ``state``, and those for which more has been kept."""
        start = state.length if state else 0
        reached = [self._cached_length(part, start) for part in parts]
        plain = [part for part, reach in zip(parts, reached, strict=True) if reach == start]
        self.budget.run(
            [branched_row_length(part.request, start) for part in plain],
            lambda batch: self._run_branched(
                [plain[i] for i in batch], [state] * len(batch), results
            ),
        )
        more = [(part, reach) for part, reach in zip(parts, reached, strict=True) if reach > start]
        self.budget.run(
            [
                branched_row_length(p.request, reach) + reach // COPY_COST_DIVISOR
                for p, reach in more
            ],
            lambda batch: self._run_from_cache([more[i] for i in batch], state, results),
        )

    def _cached_length(self, part: _Part, start: int) -> int:
        """Up to where a state is kept, if that is worthwhile beyond ``start``."""
        reach = self.kv_cache.cached_length(part.request.context.ids) if self.kv_cache else 0
        return reach if reach - start >= MIN_CACHED_TOKENS else start

    def _run_from_cache(
        self, rows: Sequence[tuple[_Part, int]], state: KVState | None, results: ResultCollector
    ) -> None:
        """Rows that each start from a kept state; ``state`` for one that is kept no longer."""
        found: dict[tuple[int, ...], KVState | None] = {}
        for part, reach in rows:
            ids = part.request.context.ids
            if ids[:reach] not in found:
                found[ids[:reach]] = self._cached_state(ids[: reach + 1], reach) or state
        states = [found[part.request.context.ids[:reach]] for part, reach in rows]
        self._run_branched([part for part, _ in rows], states, results)

    def _prefill(self, ids: tuple[int, ...], state: KVState | None) -> KVState:
        start = state.length if state else 0
        cache = cache_from_state(state, self.network.layer_count)
        device = self.network.device
        positions = torch.arange(start, start + len(ids), device=device)[None]
        inputs = {"input_ids": torch.tensor([ids], device=device), "position_ids": positions}

        def work(batch: list[int]) -> None:
            self.network.run_body(**inputs, **self.network.cache_inputs(cache), use_cache=True)

        self.budget.run([len(ids)], work)
        self.computed_tokens += len(ids)
        return to_kv_state(cache)

    def _run_branched(
        self, parts: Sequence[_Part], states: Sequence[KVState | None], results: ResultCollector
    ) -> None:
        """One batch, each row after its own state."""
        starts = [state.length if state else 0 for state in states]
        rows: list[list[int]] = []
        gathers: list[GatherIndex] = []
        branches: list[list[Branch]] = []
        for row, (part, start) in enumerate(zip(parts, starts, strict=True)):
            tokens, spans = branched_row(part.request, start)
            rows.append(tokens)
            branches.append(spans)
            places = (part.index, row, start)
            affine = self.network.head_is_linear
            gathers.extend(self.branch_gathers(part.request, *places, spans, affine=affine))
        ids = pad_rows(rows, self.network.device)
        inputs: dict[str, object] = {"input_ids": ids, "use_cache": False}
        if any(starts) or any(branches):
            own = [
                len(part.request.context.ids) - start
                for part, start in zip(parts, starts, strict=True)
            ]
            mask, positions = branch_mask(own, branches, ids.shape[1])
            inputs |= inputs_after_prefix(self.network, mask, states)
            inputs["position_ids"] = (positions + torch.tensor(starts)[:, None]).to(ids.device)
        self.computed_tokens += sum(map(len, rows))
        results.gather(self.network, gathers, **inputs)

    def _run_plain(self, requests: Sequence[ScoringRequest], results: ResultCollector) -> None:
        rows, owners = [], []
        for index, request in enumerate(requests):
            for number, tail in enumerate(request.tails):
                rows.append(request.context.ids + tail[:-1])
                owners.append((index, tail, number == 0))

        def work(batch: list[int]) -> None:
            gathers: list[GatherIndex] = []
            for row, item in enumerate(batch):
                index, tail, first = owners[item]
                gathers.extend(self.row_gathers(requests[index], index, row, tail, first=first))
            ids = pad_rows([rows[item] for item in batch], self.network.device)
            self.computed_tokens += sum(len(rows[item]) for item in batch)
            results.gather(self.network, gathers, input_ids=ids, use_cache=False)

        self.budget.run([len(row) for row in rows], work)

    def branch_gathers(
        self,
        request: ScoringRequest,
        index: int,
        row: int,
        start: int,
        spans: list[Branch],
        *,
        affine: bool,
    ) -> Iterator[GatherIndex]:
        """Where to read a row of `branched_row`: its slot, and every later token of a branch.

        Learned vectors in a branch are read by what follows but are no words to be likely.
        """
        slot = len(request.context.ids) - start - 1
        yield from slot_gathers(request, index, row, slot, head_is_linear=affine)
        for continuation, column in spans:
            for offset, target in enumerate(continuation[1:]):
                if target < self.network.virtual_tokens.first_id:
                    yield GatherIndex(index, row, column + offset, target, (continuation,))

    def row_gathers(
        self, request: ScoringRequest, index: int, row: int, tail: tuple[int, ...], *, first: bool
    ) -> Iterator[GatherIndex]:
        """Where to read a row that holds the context and one continuation."""
        slot = len(request.context.ids) - 1
        if first:
            yield from slot_gathers(
                request, index, row, slot, head_is_linear=self.network.head_is_linear
            )
        for offset, target in enumerate(tail[1:], start=1):
            if target < self.network.virtual_tokens.first_id:
                yield GatherIndex(index, row, slot + offset, target, (tail,))


def _split_into_rows(request: ScoringRequest, index: int) -> Iterator[_Part]:
    """The request in parts that fit a row: siblings do not see but still cost each other."""
    most = max(MAX_BRANCH_TOKENS, len(request.context.ids))
    taken: list[tuple[int, ...]] = []
    length = 0
    for continuation in request.continuations:
        if taken and length + len(continuation) - 1 > most:
            yield _Part(index, ScoringRequest(request.context, tuple(taken)))
            taken, length = [], 0
        taken.append(continuation)
        length += len(continuation) - 1
    yield _Part(index, ScoringRequest(request.context, tuple(taken)))
