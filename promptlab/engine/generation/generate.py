"""Generated text: every context read once, many rows at work, rows refilled as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from promptlab.engine.generation.batching_mode import detect_batching_mode
from promptlab.engine.generation.decode_batch import CausalDecodeBatch, EncoderDecoderBatch
from promptlab.engine.generation.prefill import CausalPrefill, EncoderDecoderPrefill
from promptlab.engine.generation.scheduler import Scheduler
from promptlab.engine.generation.sequence import GeneratedSequence, StopTokens, decoder_start_token
from promptlab.engine.generation.sequential import SequentialDecoder
from promptlab.engine.kv_cache.budget import max_batch_rows
from promptlab.engine.kv_cache.state import KVState
from promptlab.engine.memory import TokenBudget, out_of_memory, peak_bytes
from promptlab.engine.scoring.engine import Engine
from promptlab.engine.scoring.request import Usage
from promptlab.prompts.decoding import Decoding, Generation, OnText, too_long_message

INITIAL_COLUMNS = 64
"""Buffers begin with room for so many new tokens and grow when texts become longer."""


def generate(
    engine: Engine,
    tokenizer: Any,
    contexts: Sequence[tuple[int, ...]],
    decoding: Decoding,
    *,
    samples: Sequence[int] | None = None,
    window: int,
    name: str,
    on_text: OnText | None = None,
) -> list[Generation]:
    """Continue every context.

    A text depends on its context, ``decoding`` and its number in ``samples`` alone. ``window`` is
    the most tokens of prompt and reply (of an encoder-decoder: of each): a context that leaves no
    room gives a `Generation` with ``error``, in which ``name`` is the model's. ``on_text`` is told
    of every text as it grows.
    """
    started = time.perf_counter()
    writer = _Generator(engine, tokenizer, decoding, window, on_text)
    with torch.inference_mode():
        owners = writer.write(contexts, samples or [0] * len(contexts))
    replies = [_too_long(ids, name, window) for ids in contexts]
    seconds = time.perf_counter() - started
    whole = sum(_tokens(writing) * len(indices) for writing, indices in owners.items())
    for writing, indices in owners.items():
        reply = _generation(writing, seconds * _tokens(writing) / whole)
        for index in indices:
            replies[index] = reply
    engine.count(Usage(whole, writer.computed, seconds, peak_bytes(engine.network.device)))
    return replies


@torch.inference_mode()
def generate_sequences(
    engine: Engine, tokenizer: Any, contexts: Sequence[tuple[int, ...]], tokens: int
) -> list[GeneratedSequence]:
    """What follows each context, greedily, at most so many tokens; nothing is counted or kept."""
    longest = max(map(len, contexts)) + tokens + 1
    writer = _Generator(engine, tokenizer, Decoding(max_tokens=tokens), longest, None)
    return list(writer.write(contexts, [0] * len(contexts)))


def _tokens(writing: GeneratedSequence) -> int:
    return len(writing.ids) + len(writing.tokens)


def _generation(writing: GeneratedSequence, seconds: float) -> Generation:
    prompt, reply = len(writing.ids), len(writing.tokens)
    finish = writing.finish or "length"
    return Generation(writing.text, prompt, reply, seconds, finish, writing.logprob)


def _too_long(ids: tuple[int, ...], name: str, window: int) -> Generation:
    message = too_long_message(len(ids), name, window)
    return Generation("", len(ids), 0, 0.0, finish="too_long", error=message)


class _Generator:
    """Writes requests on an engine, whatever its model's family."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Any,
        decoding: Decoding,
        window: int,
        on_text: OnText | None,
    ) -> None:
        self.engine, self.network = engine, engine.network
        self.tokenizer, self.decoding = tokenizer, decoding
        self.window, self.on_text = window, on_text
        self.ends = StopTokens.of(self.network.model, tokenizer)
        self.computed = 0
        model = self.network.model
        self.start = decoder_start_token(model) if model.config.is_encoder_decoder else None

    def write(
        self, contexts: Sequence[tuple[int, ...]], samples: Sequence[int]
    ) -> dict[GeneratedSequence, list[int]]:
        """Texts that were written, each with the indices of the contexts that it continues.

        Equal ones are written once; contexts that leave no room in the window are left out.
        """
        writings: dict[tuple[tuple[int, ...], int], GeneratedSequence] = {}
        owners: dict[GeneratedSequence, list[int]] = {}
        for index, (ids, sample) in enumerate(zip(contexts, samples, strict=True)):
            room = self._free_tokens(ids)
            if room < 1:
                continue
            key = ids, sample if self.decoding.temperature > 0 else 0
            if key not in writings:
                indices: list[int] = []
                limit = min(room, self.decoding.max_tokens)
                writings[key] = self._sequence(ids, key[1], limit, indices)
                owners[writings[key]] = indices
            owners[writings[key]].append(index)
        self._generate_all(list(owners))
        return owners

    def _free_tokens(self, ids: tuple[int, ...]) -> int:
        """Tokens that may be written after a context."""
        if self.start is None:
            return self.window - len(ids)
        prefix = self.engine.runner.prefix
        return self.window - 1 - (prefix.length if prefix else 0) if len(ids) <= self.window else 0

    def _sequence(
        self, ids: tuple[int, ...], sample: int, limit: int, indices: list[int]
    ) -> GeneratedSequence:
        heard = None if self.on_text is None else partial(_notify, self.on_text, indices)
        return GeneratedSequence(
            ids, sample, limit, self.decoding, self.tokenizer, self.ends, heard
        )

    def _generate_all(self, writings: Sequence[GeneratedSequence]) -> None:
        """Write all; when memory runs out go on with half of the rows from what has ended."""
        way = self._mode()
        while waiting := [writing for writing in writings if writing.finish is None]:
            for writing in waiting:
                writing.restart()
            if way is None:
                self._generate_sequentially(waiting)
                continue
            lengths = [len(writing.ids) + writing.limit for writing in waiting]
            rows = max_batch_rows(self.network, self.engine.generation_budget, lengths)
            try:
                self._generate_batched(waiting, rows, late=way)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.engine.generation_budget.halve(max(lengths), rows, error)

    def _mode(self) -> bool | None:
        """Whether rows join late (else all together); ``None`` for one row at a time."""
        if self.start is None:
            late = self.network.batching_mode in (None, "late")
            return True if late and getattr(self.engine.runner, "shares", False) else None
        found = (
            "alone" if self.engine.deterministic else detect_batching_mode(self.network, self.start)
        )
        return None if found in ("alone", "anew") else found == "late"

    def _generate_batched(
        self, writings: Sequence[GeneratedSequence], rows: int, *, late: bool
    ) -> None:
        groups = _by_context(writings)
        engine, contexts = self.engine, list(groups)
        budget = TokenBudget(min(engine.runner.budget.tokens, engine.generation_budget.tokens))
        prefix, vectors = engine.runner.prefix, engine.vectors
        own = max(map(len, contexts)) if self.start is None else 1
        columns = own + min(INITIAL_COLUMNS, max(writing.limit for writing in writings))
        openings: CausalPrefill | EncoderDecoderPrefill
        if self.start is None:
            at_work = CausalDecodeBatch(self.network, vectors, rows=rows, columns=columns)
            openings = CausalPrefill(
                self.network, budget, prefix=prefix, kept=engine.kept, vectors=vectors
            )
        else:
            at_work = EncoderDecoderBatch(
                self.network, vectors, rows=rows, columns=columns, joins_late=late
            )
            openings = EncoderDecoderPrefill(
                self.network, budget, start=self.start, prefix=prefix, vectors=vectors
            )
        read, texts = openings.read(contexts), list(groups.values())
        loop = Scheduler(at_work, read, texts, self.decoding, rows, self._cache_state)
        try:
            loop.run()
        finally:
            self.computed += openings.computed + loop.computed

    def _cache_state(self, writing: GeneratedSequence, state: Callable[[], KVState]) -> None:
        """Offer what a finished row has read to the next step, which may go on from there."""
        kept = self.engine.kept
        if kept is not None and self.start is None:
            kept.keep((*writing.ids, *writing.tokens[:-1]), state())

    def _generate_sequentially(self, writings: Sequence[GeneratedSequence]) -> None:
        prefix = self.engine.runner.prefix
        alone = SequentialDecoder(self.network, self.engine.vectors, self.start, prefix)
        for ids, texts in _by_context(writings).items():
            alone.write(ids, texts)
        self.computed += alone.computed


def _by_context(
    writings: Sequence[GeneratedSequence],
) -> dict[tuple[int, ...], list[GeneratedSequence]]:
    groups: dict[tuple[int, ...], list[GeneratedSequence]] = {}
    for writing in writings:
        groups.setdefault(writing.ids, []).append(writing)
    return groups


def _notify(on_text: OnText, owners: Sequence[int], text: str) -> None:
    for owner in owners:
        on_text(owner, text)
