"""Masked models: the slot's position alone through the head, rows bucketed by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from promptlab.engine.batch import TokenBudget
from promptlab.engine.network import Network
from promptlab.engine.probe import Probe, Replies, padded, padding_mask, slot_probes
from promptlab.engine.question import Question, Reply


class MaskedRunner:
    """One row a context, and one for every start of a continuation that follows the slot.

    An answer of k tokens has the likelihood of k mask tokens filled from left to right,
    log P(z) = sum over i of log P(z_i | z_<i, masks for the rest): a distribution over all
    answers of k tokens, unlike the mean over one position's logits.
    """

    def __init__(self, network: Network, budget: TokenBudget) -> None:
        self.network = network
        self.budget = budget
        self.computed_tokens = 0

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question; its continuations are as long as its context has masks."""
        rows: list[tuple[int, ...]] = []
        probes: list[Probe] = []
        for index, question in enumerate(questions):
            for row, probe in _rows(question, index, affine=self.network.affine):
                rows.append(row)
                probes.append(probe)
        replies = Replies()

        def work(batch: list[int]) -> None:
            tokens = [rows[item] for item in batch]
            placed = [replace(probes[item], row=row) for row, item in enumerate(batch)]
            replies.probe(
                self.network,
                placed,
                input_ids=padded(tokens, self.network.device),
                attention_mask=padding_mask(tokens, self.network.device),
            )
            self.computed_tokens += sum(map(len, tokens))

        self.budget.run([len(row) for row in rows], work)
        return replies.finished(len(questions))


def _rows(
    question: Question, index: int, *, affine: bool
) -> Iterator[tuple[tuple[int, ...], Probe]]:
    """The slot's row, then a row for each distinct (filled start, next token)."""
    ids, position = question.context.ids, question.context.position
    for probe in slot_probes(question, index, 0, position, affine=affine):
        yield ids, probe
    wanted: dict[tuple[tuple[int, ...], int], list[tuple[int, ...]]] = {}
    for continuation in question.continuations:
        for filled in range(1, len(continuation)):
            key = (continuation[:filled], continuation[filled])
            wanted.setdefault(key, []).append(continuation)
    for (start, target), tails in wanted.items():
        row = ids[:position] + start + ids[position + len(start) :]
        yield row, Probe(index, 0, position + len(start), target, tuple(tails))
