"""Continuous batching: sequences enter the batch, grow by a token a step, and leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.cancellation import raise_if_cancelled
from promptlab.engine.generation.decode_batch import CausalDecodeBatch
from promptlab.engine.generation.prefill import PrefilledContext
from promptlab.engine.generation.sampler import sample_tokens
from promptlab.engine.generation.sequence import GeneratedSequence
from promptlab.engine.kv_cache.state import KVState
from promptlab.prompts.decoding import Decoding


@dataclass
class Scheduler:
    """Generates all sequences on at most ``max_rows`` rows of a decode batch.

    Attributes:
        batch: the decode batch.
        prefilled: prefilled contexts, each computed when it is wanted.
        sequences: the sequences to generate after each context, by the context's index.
        decoding: how tokens are chosen.
        max_rows: rows in the batch at most.
        on_finish: called with every sequence that has ended and, before its row is free, a function
            that gives the keys and values it leaves.
        computed_tokens: tokens that went through the network here.
    """

    batch: CausalDecodeBatch
    prefilled: Iterator[PrefilledContext]
    sequences: Sequence[Sequence[GeneratedSequence]]
    decoding: Decoding
    max_rows: int
    on_finish: Callable[[GeneratedSequence, Callable[[], KVState]], None]
    computed_tokens: int = 0
    _running: list[GeneratedSequence] = field(default_factory=list)

    def run(self) -> None:
        """Generate until all sequences have ended. Raises `Cancelled` when asked to stop."""
        waiting = self._waiting()
        going: list[Tensor] = []
        while True:
            raise_if_cancelled()
            joined = self._admit(waiting)
            if not self._running:
                return
            logits = torch.cat([*going, torch.stack(joined)]) if joined else going[0]
            self._append_tokens(logits)
            going = []
            if self._running:
                going = [self.batch.step([sequence.tokens[-1] for sequence in self._running])]
                self.computed_tokens += len(self._running)

    def _waiting(self) -> Iterator[tuple[PrefilledContext, GeneratedSequence]]:
        for prefilled in self.prefilled:
            for sequence in self.sequences[prefilled.index]:
                yield prefilled, sequence

    def _admit(self, waiting: Iterator[tuple[PrefilledContext, GeneratedSequence]]) -> list[Tensor]:
        """Admit waiting sequences to free rows; their first logits."""
        joined: list[Tensor] = []
        if self._running and not self.batch.can_join_late:
            return joined
        while len(self._running) < self.max_rows:
            found = next(waiting, None)
            if found is None:
                break
            self.batch.add(found[0])
            self._running.append(found[1])
            joined.append(found[0].logits)
        return joined

    def _append_tokens(self, logits: Float[Tensor, "row vocab"]) -> None:
        """Append the next token to every row; sequences that have ended leave."""
        numbers = [sequence.next_uniform() for sequence in self._running]
        tokens, logprobs = sample_tokens(logits, self.decoding, numbers)
        for sequence, token, logprob in zip(
            self._running, tokens.tolist(), logprobs.tolist(), strict=True
        ):
            sequence.append(token, logprob)
        for row in reversed(range(len(self._running))):
            sequence = self._running[row]
            if sequence.finish is None:
                continue
            self.on_finish(sequence, partial(self.batch.state, row))
            self.batch.remove(row)
            last = self._running.pop()
            if last is not sequence:
                self._running[row] = last
