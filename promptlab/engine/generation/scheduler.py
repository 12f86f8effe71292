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
    """Generates all sequences on at most ``most`` rows of a decode batch.

    Attributes:
        rows: the decode batch.
        openings: prefilled contexts, each computed when it is wanted.
        writings: the sequences to generate after each context, by the context's index.
        decoding: how tokens are chosen.
        most: rows in the batch at most.
        done: called with every sequence that has ended and, before its row is free, a function
            that gives the keys and values it leaves.
        computed: tokens that went through the network here.
    """

    rows: CausalDecodeBatch
    openings: Iterator[PrefilledContext]
    writings: Sequence[Sequence[GeneratedSequence]]
    decoding: Decoding
    most: int
    done: Callable[[GeneratedSequence, Callable[[], KVState]], None]
    computed: int = 0
    _running: list[GeneratedSequence] = field(default_factory=list)

    def run(self) -> None:
        """Write until all texts have ended. Raises `Cancelled` when asked to stop."""
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
                going = [self.rows.step([writing.tokens[-1] for writing in self._running])]
                self.computed += len(self._running)

    def _waiting(self) -> Iterator[tuple[PrefilledContext, GeneratedSequence]]:
        for opening in self.openings:
            for writing in self.writings[opening.index]:
                yield opening, writing

    def _admit(self, waiting: Iterator[tuple[PrefilledContext, GeneratedSequence]]) -> list[Tensor]:
        """Let waiting texts into free rows; their first logits."""
        joined: list[Tensor] = []
        if self._running and not self.rows.joins_late:
            return joined
        while len(self._running) < self.most:
            found = next(waiting, None)
            if found is None:
                break
            self.rows.join(found[0])
            self._running.append(found[1])
            joined.append(found[0].logits)
        return joined

    def _append_tokens(self, logits: Float[Tensor, "row vocab"]) -> None:
        """Give every row its next token; texts that have ended leave."""
        numbers = [writing.number() for writing in self._running]
        tokens, logprobs = sample_tokens(logits, self.decoding, numbers)
        for writing, token, logprob in zip(
            self._running, tokens.tolist(), logprobs.tolist(), strict=True
        ):
            writing.add(token, logprob)
        for row in reversed(range(len(self._running))):
            writing = self._running[row]
            if writing.finish is None:
                continue
            self.done(writing, partial(self.rows.state, row))
            self.rows.leave(row)
            last = self._running.pop()
            if last is not writing:
                self._running[row] = last
