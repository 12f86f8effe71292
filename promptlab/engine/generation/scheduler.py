"""Continuous batching: sequences enter the batch, grow by a token a step, and leave it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.cancellation import raise_if_cancelled
from promptlab.engine.generation.decode_batch import CausalRows
from promptlab.engine.generation.prefill import Opening
from promptlab.engine.generation.sampler import chosen
from promptlab.engine.generation.sequence import Writing
from promptlab.engine.kv_cache.state import PrefixState
from promptlab.prompts.decoding import Decoding


@dataclass
class Loop:
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

    rows: CausalRows
    openings: Iterator[Opening]
    writings: Sequence[Sequence[Writing]]
    decoding: Decoding
    most: int
    done: Callable[[Writing, Callable[[], PrefixState]], None]
    computed: int = 0
    _at_work: list[Writing] = field(default_factory=list)

    def run(self) -> None:
        """Write until all texts have ended. Raises `Cancelled` when asked to stop."""
        waiting = self._waiting()
        going: list[Tensor] = []
        while True:
            raise_if_cancelled()
            joined = self._fill(waiting)
            if not self._at_work:
                return
            logits = torch.cat([*going, torch.stack(joined)]) if joined else going[0]
            self._choose(logits)
            going = []
            if self._at_work:
                going = [self.rows.step([writing.tokens[-1] for writing in self._at_work])]
                self.computed += len(self._at_work)

    def _waiting(self) -> Iterator[tuple[Opening, Writing]]:
        for opening in self.openings:
            for writing in self.writings[opening.index]:
                yield opening, writing

    def _fill(self, waiting: Iterator[tuple[Opening, Writing]]) -> list[Tensor]:
        """Let waiting texts into free rows; their first logits."""
        joined: list[Tensor] = []
        if self._at_work and not self.rows.joins_late:
            return joined
        while len(self._at_work) < self.most:
            found = next(waiting, None)
            if found is None:
                break
            self.rows.join(found[0])
            self._at_work.append(found[1])
            joined.append(found[0].logits)
        return joined

    def _choose(self, logits: Float[Tensor, "row vocab"]) -> None:
        """Give every row its next token; texts that have ended leave."""
        numbers = [writing.number() for writing in self._at_work]
        tokens, logprobs = chosen(logits, self.decoding, numbers)
        for writing, token, logprob in zip(
            self._at_work, tokens.tolist(), logprobs.tolist(), strict=True
        ):
            writing.add(token, logprob)
        for row in reversed(range(len(self._at_work))):
            writing = self._at_work[row]
            if writing.finish is None:
                continue
            self.done(writing, partial(self.rows.state, row))
            self.rows.leave(row)
            last = self._at_work.pop()
            if last is not writing:
                self._at_work[row] = last
