"""Causal models: shared prefixes, branches, and only the slot through the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from promptlab.engine.kv_cache.prefix_tree import WORTH, PrefixNode, prefix_tree
from promptlab.engine.kv_cache.radix_cache import LEAST, NO_TOKEN
from promptlab.engine.kv_cache.stacking import after_states
from promptlab.engine.kv_cache.state import PrefixState, frozen_cache, recorded
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.branching import Span, branch_mask, branched_length, branched_row
from promptlab.engine.scoring.gather import Probe, Replies, slot_probes
from promptlab.engine.scoring.request import Question, Reply
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import padded

MOST_BRANCHED = 64
"""Branches in a row have at most so many tokens, or as many as the context if that is longer."""
COPIED = 4
"""A kept token of a row's own state counts as the fourth of a computed one in a batch."""


@dataclass(frozen=True)
class _Part:
    """A question, or as many of its continuations as go into one row; ``index`` is the whole's."""

    index: int
    question: Question


class CausalRunner(Runner):
    """Shared prefixes once, then one row a context with its continuations as branches.

    A branch attends the context and itself, not its siblings, so a context is computed once for
    any number of multi-token answers. Ragged rows need no padding mask: a causal model cannot
    see what stands to the right. Without ``shares`` (sliding windows, recurrent layers) every
    continuation gets a plain row of its own. A learned prefix of n tokens stands for the first n
    ids of every context.
    """

    def __init__(self, network: Network, budget: TokenBudget, *, shares: bool) -> None:
        super().__init__(network, budget)
        self.shares = shares

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question; contexts must be distinct and not empty."""
        replies = Replies()
        if not self.shares:
            self._run_plain(questions, replies)
        elif questions:
            parts = [part for index, q in enumerate(questions) for part in _parts(q, index)]
            start = self.prefix.length if self.prefix else 0
            contexts = [part.question.context.ids for part in parts]
            recent = self.kept.recent if self.kept else []
            tree = prefix_tree([ids[start:] for ids in (*contexts, *recent)])
            self._walk(tree, contexts[0][:start], parts, self.prefix, replies)
            if self.kept:
                self.kept.note([question.context.ids for question in questions])
        return replies.finished(len(questions))

    def _walk(
        self,
        node: PrefixNode,
        path: tuple[int, ...],
        parts: Sequence[_Part],
        state: PrefixState | None,
        replies: Replies,
    ) -> None:
        """Answer the node's rows and those below it; ``path`` leads to the node's parent.

        Rows beyond ``parts`` are contexts of earlier calls: they show what is worth keeping.
        """
        path += node.ids
        if node.ids:
            state = self._shared(path, len(node.ids), sum(1 for _ in node.below()), state)
        rows = [parts[index] for index in node.rows if index < len(parts)]
        children = []
        for child in node.children:
            found = [parts[index] for index in child.below() if index < len(parts)]
            if len(found) == 1 and not self._teaches(child, path, found[0]):
                rows += found  # in a batch with others
            elif found:
                children.append(child)
        if rows:
            self._answer(rows, state, replies)
        for child in children:
            self._walk(child, path, parts, state, replies)

    def _teaches(self, node: PrefixNode, path: tuple[int, ...], part: _Part) -> bool:
        """Whether what a row alone shares with earlier calls is more than what was kept of it."""
        ids, end = part.question.context.ids, len(path)
        below: PrefixNode | None = node
        while below is not None:
            end += len(below.ids)
            below = next((n for n in below.children if n.ids == ids[end : end + len(n.ids)]), None)
        return end - self._reach(part, 0) >= WORTH

    def _shared(
        self, path: tuple[int, ...], own: int, rows: int, state: PrefixState | None
    ) -> PrefixState:
        """The state of ``path``, the last ``own`` tokens of which ``rows`` rows share.

        From what was kept, but for a few last tokens that are cheaper computed with each row.
        """
        start = state.length if state else 0
        known = self._known((*path, NO_TOKEN), start + 1)
        if known is not None:
            state, start = known, known.length
            if (len(path) - start) * (rows - 1) < WORTH:
                return known
        if start < len(path):
            state = self._prefill(path[start:], state)
            if self.kept and own >= WORTH:
                self.kept.keep(path, state)
        assert state is not None
        return state

    def _known(self, ids: tuple[int, ...], least: int) -> PrefixState | None:
        """The kept state of a beginning of ``ids`` with at least ``least`` tokens."""
        if self.kept is None or self.kept.reach(ids) < least:
            return None
        found = self.kept.longest(ids)
        # Another thread may have pushed it out meanwhile.
        return found if found is not None and found.length >= least else None

    def _answer(self, parts: Sequence[_Part], state: PrefixState | None, replies: Replies) -> None:
        """Rows that start from ``state``, and those for which more has been kept."""
        start = state.length if state else 0
        reached = [self._reach(part, start) for part in parts]
        plain = [part for part, reach in zip(parts, reached, strict=True) if reach == start]
        self.budget.run(
            [branched_length(part.question, start) for part in plain],
            lambda batch: self._branched([plain[i] for i in batch], [state] * len(batch), replies),
        )
        more = [(part, reach) for part, reach in zip(parts, reached, strict=True) if reach > start]
        self.budget.run(
            [branched_length(p.question, reach) + reach // COPIED for p, reach in more],
            lambda batch: self._continued([more[i] for i in batch], state, replies),
        )

    def _reach(self, part: _Part, start: int) -> int:
        """Up to where a state is kept, if that is worthwhile beyond ``start``."""
        reach = self.kept.reach(part.question.context.ids) if self.kept else 0
        return reach if reach - start >= LEAST else start

    def _continued(
        self, rows: Sequence[tuple[_Part, int]], state: PrefixState | None, replies: Replies
    ) -> None:
        """Rows that each start from a kept state; ``state`` for one that is kept no longer."""
        found: dict[tuple[int, ...], PrefixState | None] = {}
        for part, reach in rows:
            ids = part.question.context.ids
            if ids[:reach] not in found:
                found[ids[:reach]] = self._known(ids[: reach + 1], reach) or state
        states = [found[part.question.context.ids[:reach]] for part, reach in rows]
        self._branched([part for part, _ in rows], states, replies)

    def _prefill(self, ids: tuple[int, ...], state: PrefixState | None) -> PrefixState:
        start = state.length if state else 0
        cache = frozen_cache(state, self.network.layers)
        device = self.network.device
        positions = torch.arange(start, start + len(ids), device=device)[None]
        inputs = {"input_ids": torch.tensor([ids], device=device), "position_ids": positions}

        def work(batch: list[int]) -> None:
            self.network.encode(**inputs, **self.network.cache_inputs(cache), use_cache=True)

        self.budget.run([len(ids)], work)
        self.computed_tokens += len(ids)
        return recorded(cache)

    def _branched(
        self, parts: Sequence[_Part], states: Sequence[PrefixState | None], replies: Replies
    ) -> None:
        """One batch, each row after its own state."""
        starts = [state.length if state else 0 for state in states]
        rows: list[list[int]] = []
        probes: list[Probe] = []
        branches: list[list[Span]] = []
        for row, (part, start) in enumerate(zip(parts, starts, strict=True)):
            tokens, spans = branched_row(part.question, start)
            rows.append(tokens)
            branches.append(spans)
            places = (part.index, row, start)
            affine = self.network.affine
            probes.extend(self.branched_probes(part.question, *places, spans, affine=affine))
        ids = padded(rows, self.network.device)
        inputs: dict[str, object] = {"input_ids": ids, "use_cache": False}
        if any(starts) or any(branches):
            own = [
                len(part.question.context.ids) - start
                for part, start in zip(parts, starts, strict=True)
            ]
            mask, positions = branch_mask(own, branches, ids.shape[1])
            inputs |= after_states(self.network, mask, states)
            inputs["position_ids"] = (positions + torch.tensor(starts)[:, None]).to(ids.device)
        self.computed_tokens += sum(map(len, rows))
        replies.probe(self.network, probes, **inputs)

    def _run_plain(self, questions: Sequence[Question], replies: Replies) -> None:
        rows, owners = [], []
        for index, question in enumerate(questions):
            for number, tail in enumerate(question.tails):
                rows.append(question.context.ids + tail[:-1])
                owners.append((index, tail, number == 0))

        def work(batch: list[int]) -> None:
            probes: list[Probe] = []
            for row, item in enumerate(batch):
                index, tail, first = owners[item]
                probes.extend(self.plain_probes(questions[index], index, row, tail, first=first))
            ids = padded([rows[item] for item in batch], self.network.device)
            self.computed_tokens += sum(len(rows[item]) for item in batch)
            replies.probe(self.network, probes, input_ids=ids, use_cache=False)

        self.budget.run([len(row) for row in rows], work)

    def branched_probes(
        self,
        question: Question,
        index: int,
        row: int,
        start: int,
        spans: list[Span],
        *,
        affine: bool,
    ) -> Iterator[Probe]:
        """Where to read a row of `branched_row`: its slot, and every later token of a branch.

        Learned vectors in a branch are read by what follows but are no words to be likely.
        """
        slot = len(question.context.ids) - start - 1
        yield from slot_probes(question, index, row, slot, affine=affine)
        for continuation, column in spans:
            for offset, target in enumerate(continuation[1:]):
                if target < self.network.virtual.start:
                    yield Probe(index, row, column + offset, target, (continuation,))

    def plain_probes(
        self, question: Question, index: int, row: int, tail: tuple[int, ...], *, first: bool
    ) -> Iterator[Probe]:
        """Where to read a row that holds the context and one continuation."""
        slot = len(question.context.ids) - 1
        if first:
            yield from slot_probes(question, index, row, slot, affine=self.network.affine)
        for offset, target in enumerate(tail[1:], start=1):
            if target < self.network.virtual.start:
                yield Probe(index, row, slot + offset, target, (tail,))


def _parts(question: Question, index: int) -> Iterator[_Part]:
    """The question in parts that fit a row: siblings do not see but still cost each other."""
    most = max(MOST_BRANCHED, len(question.context.ids))
    taken: list[tuple[int, ...]] = []
    length = 0
    for continuation in question.continuations:
        if taken and length + len(continuation) - 1 > most:
            yield _Part(index, Question(question.context, tuple(taken)))
            taken, length = [], 0
        taken.append(continuation)
        length += len(continuation) - 1
    yield _Part(index, Question(question.context, tuple(taken)))
