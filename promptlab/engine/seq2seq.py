"""Encoder-decoder models: every context is encoded once, the answers are read by the decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers.modeling_outputs import BaseModelOutput

from promptlab.engine.batch import TokenBudget
from promptlab.engine.network import Network
from promptlab.engine.probe import Probe, Replies, padded, padding_mask, slot_probes
from promptlab.engine.question import Question, Reply


class Seq2SeqRunner:
    """The decoder starts with ``start`` (its start token, and the sentinel if there is one)."""

    def __init__(self, network: Network, budget: TokenBudget, start: tuple[int, ...]) -> None:
        self.network = network
        self.budget = budget
        self.start = start
        self.computed_tokens = 0

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question."""
        replies = Replies()
        lengths = [
            len(q.context.ids) + sum(len(self.start) + len(tail) for tail in _tails(q))
            for q in questions
        ]
        self.budget.run(lengths, lambda batch: self._batch(batch, questions, replies))
        return replies.finished(len(questions))

    def _batch(self, batch: list[int], questions: Sequence[Question], replies: Replies) -> None:
        device = self.network.device
        contexts = [questions[index].context.ids for index in batch]
        rows: list[tuple[int, ...]] = []
        owners: list[int] = []
        probes: list[Probe] = []
        slot = len(self.start) - 1
        for owner, index in enumerate(batch):
            for number, tail in enumerate(_tails(questions[index])):
                if number == 0:
                    affine = self.network.affine
                    probes.extend(
                        slot_probes(questions[index], index, len(rows), slot, affine=affine)
                    )
                for offset, target in enumerate(tail[1:], start=1):
                    probes.append(Probe(index, len(rows), slot + offset, target, (tail,)))
                rows.append(self.start + tail[:-1])
                owners.append(owner)
        mask = padding_mask(contexts, device)
        encoded = self.network.encode_inputs(
            input_ids=padded(contexts, device), attention_mask=mask
        )
        chosen = torch.tensor(owners, device=device)
        replies.probe(
            self.network,
            probes,
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded[chosen]),
            attention_mask=mask[chosen],
            decoder_input_ids=padded(rows, device),
            use_cache=False,
        )
        self.computed_tokens += sum(map(len, contexts)) + sum(map(len, rows))


def _tails(question: Question) -> list[tuple[int, ...]]:
    return [c for c in question.continuations if len(c) > 1] or [()]
