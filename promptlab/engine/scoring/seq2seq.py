"""Encoder-decoder models: every context is encoded once, the answers are read by the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from promptlab.compat.transformers import EncoderDecoderCache, EncoderOutput
from promptlab.engine.kv_cache.state import PrefixState, frozen_cache
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.network import Network
from promptlab.engine.scoring.gather import Probe, Replies, slot_probes
from promptlab.engine.scoring.request import Question, Reply
from promptlab.engine.scoring.runner import Runner
from promptlab.engine.tensors import padded, padding_mask


class Seq2SeqRunner(Runner):
    """The decoder starts with ``start`` (its start token, and the sentinel if there is one).

    A learned prefix is attended by the decoder's self-attention.
    """

    def __init__(self, network: Network, budget: TokenBudget, start: tuple[int, ...]) -> None:
        super().__init__(network, budget)
        self.start = start

    def run(self, questions: Sequence[Question]) -> list[Reply]:
        """One reply a question."""
        replies = Replies()
        numbers, parts = list(range(len(questions))), list(questions)
        if self.single_rows:  # a decoder's rows, too, go through the network one by one
            numbers, parts = _single(questions)
        lengths = [
            len(q.context.ids) + sum(len(self.begun(q)) + len(tail) for tail in q.tails)
            for q in parts
        ]
        self.budget.run(
            lengths,
            lambda batch: self._batch(
                [numbers[item] for item in batch], [parts[item] for item in batch], replies
            ),
        )
        return replies.finished(len(questions))

    def _batch(self, batch: list[int], chosen: Sequence[Question], replies: Replies) -> None:
        device = self.network.device
        contexts = [question.context.ids for question in chosen]
        rows, owners, probes = self.rows(chosen, batch, affine=self.network.affine)
        mask = padding_mask(contexts, device)
        # Nothing is hidden where all contexts are as long: that is the plain forward.
        seen = {} if mask.all() else {"attention_mask": mask}
        encoded = self.network.encode_inputs(input_ids=padded(contexts, device), **seen)
        owner = torch.tensor(owners, device=device)
        replies.probe(
            self.network,
            probes,
            encoder_outputs=EncoderOutput(last_hidden_state=encoded[owner]),
            decoder_input_ids=padded(rows, device),
            **{name: hidden[owner] for name, hidden in seen.items()},
            **decoder_cache(self.network, self.prefix),
        )
        self.computed_tokens += sum(map(len, contexts)) + sum(map(len, rows))

    def begun(self, question: Question) -> tuple[int, ...]:
        """The tokens that the decoder has read before the answer."""
        return self.start if question.context.begun is None else question.context.begun

    def rows(
        self, questions: Sequence[Question], numbers: Sequence[int], *, affine: bool
    ) -> tuple[list[tuple[int, ...]], list[int], list[Probe]]:
        """The decoder's rows, the question (by place) each belongs to, and where to read them."""
        rows: list[tuple[int, ...]] = []
        owners: list[int] = []
        probes: list[Probe] = []
        for owner, (question, number) in enumerate(zip(questions, numbers, strict=True)):
            start = self.begun(question)
            slot = len(start) - 1
            for count, tail in enumerate(question.tails):
                if count == 0:
                    probes.extend(slot_probes(question, number, len(rows), slot, affine=affine))
                for offset, target in enumerate(tail[1:], start=1):
                    probes.append(Probe(number, len(rows), slot + offset, target, (tail,)))
                rows.append(start + tail[:-1])
                owners.append(owner)
        return rows, owners, probes


def decoder_cache(network: Network, prefix: PrefixState | None) -> dict[str, Any]:
    """The decoder's arguments for a learned prefix, or for none."""
    if prefix is None:
        return {"use_cache": False}
    layers = network.layers
    cache = EncoderDecoderCache(frozen_cache(prefix, layers), frozen_cache(None, layers))
    return {**network.cache_inputs(cache), "use_cache": True}


def _single(questions: Sequence[Question]) -> tuple[list[int], list[Question]]:
    """Every continuation as a question of its own, with the number of the whole one."""
    numbers: list[int] = []
    parts: list[Question] = []
    for number, question in enumerate(questions):
        for tail in question.continuations or (None,):
            numbers.append(number)
            parts.append(Question(question.context, () if tail is None else (tail,)))
    return numbers, parts
