"""Causal models: shared prefixes, branches, and only the slot through the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from promptlab.engine.batch import TokenBudget
from promptlab.engine.network import Network
from promptlab.engine.prefix import PrefixNode, PrefixState, frozen_cache, prefix_tree, recorded
from promptlab.engine.probe import FamilyRunner, Probe, Replies, additive, padded, slot_probes
from promptlab.engine.question import Question, Reply

Span = tuple[tuple[int, ...], int]
"""A continuation and the column where its branch begins."""

MOST_BRANCHED = 64
"""Branches in a row have at most so many tokens, or as many as the context if that is longer."""


@dataclass(frozen=True)
class _Part:
    """A question, or as many of its continuations as go into one row; ``index`` is the whole's."""

    index: int
    question: Question


class CausalRunner(FamilyRunner):
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
            tree = prefix_tree([part.question.context.ids[start:] for part in parts])
            self._walk(tree, parts, self.prefix, replies)
        return replies.finished(len(questions))

    def _walk(
        self,
        node: PrefixNode,
        parts: Sequence[_Part],
        state: PrefixState | None,
        replies: Replies,
    ) -> None:
        if node.ids:
            state = self._prefill(node.ids, state)
        start = state.length if state else 0
        if node.rows:
            rows = [parts[index] for index in node.rows]
            lengths = [branched_length(part.question, start) for part in rows]
            self.budget.run(
                lengths,
                lambda batch: self._branched([rows[i] for i in batch], state, replies),
            )
        for child in node.children:
            self._walk(child, parts, state, replies)

    def _prefill(self, ids: tuple[int, ...], state: PrefixState | None) -> PrefixState:
        start = state.length if state else 0
        cache = frozen_cache(state, self.network.layers)
        device = self.network.device
        positions = torch.arange(start, start + len(ids), device=device)[None]
        inputs = {"input_ids": torch.tensor([ids], device=device), "position_ids": positions}

        def work(batch: list[int]) -> None:
            self.network.encode(**inputs, past_key_values=cache, use_cache=True)

        self.budget.run([len(ids)], work)
        self.computed_tokens += len(ids)
        return recorded(cache)

    def _branched(
        self, parts: Sequence[_Part], state: PrefixState | None, replies: Replies
    ) -> None:
        start = state.length if state else 0
        rows: list[list[int]] = []
        probes: list[Probe] = []
        branches: list[list[Span]] = []
        for row, part in enumerate(parts):
            tokens, spans = branched_row(part.question, start)
            rows.append(tokens)
            branches.append(spans)
            places = (part.index, row, start)
            affine = self.network.affine
            probes.extend(self.branched_probes(part.question, *places, spans, affine=affine))
        ids = padded(rows, self.network.device)
        inputs: dict[str, object] = {"input_ids": ids, "use_cache": False}
        if state is not None or any(branches):
            own = [len(part.question.context.ids) - start for part in parts]
            mask, positions = branch_mask(own, branches, ids.shape[1], start)
            mask = mask.to(ids.device)
            inputs["attention_mask"] = additive(mask, self.network.dtype)
            inputs["position_ids"] = positions.to(ids.device)
        if state is not None:
            inputs |= {
                "past_key_values": frozen_cache(state, self.network.layers),
                "use_cache": True,
            }
        self.computed_tokens += sum(map(len, rows))
        replies.probe(self.network, probes, **inputs)

    def _run_plain(self, questions: Sequence[Question], replies: Replies) -> None:
        rows, owners = [], []
        for index, question in enumerate(questions):
            tails = [c for c in question.continuations if len(c) > 1] or [()]
            for number, tail in enumerate(tails):
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


def branched_length(question: Question, start: int) -> int:
    """Tokens of the row that `branched_row` makes."""
    return len(question.context.ids) - start + sum(len(c) - 1 for c in question.continuations)


def branched_row(question: Question, start: int) -> tuple[list[int], list[Span]]:
    """The row's tokens after the prefix: the context's rest, then every branch."""
    tokens = list(question.context.ids[start:])
    spans: list[Span] = []
    for continuation in question.continuations:
        if len(continuation) > 1:
            spans.append((continuation, len(tokens)))
            tokens.extend(continuation[:-1])
    return tokens, spans


def branch_mask(
    own: list[int], branches: list[list[Span]], width: int, start: int
) -> tuple[Tensor, Tensor]:
    """Who sees whom ``[row, 1, token, start + token]`` and positions ``[row, token]``."""
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    mask = causal.repeat(len(own), 1, 1)
    positions = torch.arange(start, start + width).repeat(len(own), 1)
    for row, (length, spans) in enumerate(zip(own, branches, strict=True)):
        for continuation, column in spans:
            end = column + len(continuation) - 1
            mask[row, column:end, length:column] = False
            positions[row, column:end] = torch.arange(start + length, start + length + end - column)
    prefix = torch.ones(len(own), width, start, dtype=torch.bool)
    return torch.cat([prefix, mask], dim=-1)[:, None], positions
