"""Generated text: every context read once, many rows at work, rows refilled as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from promptlab.engine.generation.batching_mode import BatchingMode, detect_batching_mode
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

    A text depends on its context, ``decoding`` and its number in ``samples`` alone, whatever else
    is generated beside it.

    Args:
        engine: what runs the model.
        tokenizer: the model's.
        contexts: token ids to continue.
        decoding: how tokens are chosen, and when a text ends.
        samples: the number of each context's text among the samples of that context; 0 for all
            by default.
        window: the most tokens of prompt and reply together (of an encoder-decoder: of each).
        name: the model's, for messages.
        on_text: called with a context's index and its text so far, whenever the text has grown.

    Returns:
        A text for each context; one with ``error`` where the context leaves no room in the window.

    Raises:
        Cancelled: when asked to stop.
        WorkError: a single row does not fit into memory.
    """
    started = time.perf_counter()
    generator = _Generator(engine, tokenizer, decoding, window, on_text)
    with torch.inference_mode():
        owners = generator.run(contexts, samples or [0] * len(contexts))
    replies = [_too_long(ids, name, window) for ids in contexts]
    seconds = time.perf_counter() - started
    whole = sum(_tokens(sequence) * len(indices) for sequence, indices in owners.items())
    for sequence, indices in owners.items():
        reply = _generation(sequence, seconds * _tokens(sequence) / whole)
        for index in indices:
            replies[index] = reply
    engine.add_usage(
        Usage(whole, generator.computed_tokens, seconds, peak_bytes(engine.network.device))
    )
    return replies


@torch.inference_mode()
def generate_sequences(
    engine: Engine, tokenizer: Any, contexts: Sequence[tuple[int, ...]], tokens: int
) -> list[GeneratedSequence]:
    """What follows each context, greedily, at most so many tokens; nothing is counted or kept."""
    longest = max(map(len, contexts)) + tokens + 1
    generator = _Generator(engine, tokenizer, Decoding(max_tokens=tokens), longest, None)
    return list(generator.run(contexts, [0] * len(contexts)))


def _tokens(sequence: GeneratedSequence) -> int:
    return len(sequence.context_ids) + len(sequence.tokens)


def _generation(sequence: GeneratedSequence, seconds: float) -> Generation:
    prompt, reply = len(sequence.context_ids), len(sequence.tokens)
    finish = sequence.finish or "length"
    return Generation(sequence.text, prompt, reply, seconds, finish, sequence.logprob)


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
        self.ends = StopTokens.from_model(self.network.model, tokenizer)
        self.computed_tokens = 0
        model = self.network.model
        self.start = decoder_start_token(model) if model.config.is_encoder_decoder else None

    def run(
        self, contexts: Sequence[tuple[int, ...]], samples: Sequence[int]
    ) -> dict[GeneratedSequence, list[int]]:
        """Texts that were written, each with the indices of the contexts that it continues.

        Equal ones are written once; contexts that leave no room in the window are left out.
        """
        sequences: dict[tuple[tuple[int, ...], int], GeneratedSequence] = {}
        owners: dict[GeneratedSequence, list[int]] = {}
        for index, (ids, sample) in enumerate(zip(contexts, samples, strict=True)):
            room = self._free_tokens(ids)
            if room < 1:
                continue
            key = ids, sample if self.decoding.temperature > 0 else 0
            if key not in sequences:
                indices: list[int] = []
                limit = min(room, self.decoding.max_tokens)
                sequences[key] = self._sequence(ids, key[1], limit, indices)
                owners[sequences[key]] = indices
            owners[sequences[key]].append(index)
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

    def _generate_all(self, sequences: Sequence[GeneratedSequence]) -> None:
        """Write all; when memory runs out go on with half of the rows from what has ended."""
        mode = self._batching_mode()
        while waiting := [sequence for sequence in sequences if sequence.finish is None]:
            for sequence in waiting:
                sequence.reset()
            if mode in ("sequential", "uncached"):
                self._generate_sequentially(waiting)
                continue
            lengths = [len(sequence.context_ids) + sequence.max_tokens for sequence in waiting]
            rows = max_batch_rows(self.network, self.engine.generation_budget, lengths)
            try:
                self._generate_batched(waiting, rows, can_join_late=mode == "continuous")
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.engine.generation_budget.halve(max(lengths), rows, error)

    def _batching_mode(self) -> BatchingMode:
        if self.start is not None:
            deterministic = self.engine.deterministic
            return "sequential" if deterministic else detect_batching_mode(self.network, self.start)
        chosen = self.network.batching_mode in (None, "continuous")
        return "continuous" if chosen and self.engine.runner.can_share_prefixes else "sequential"

    def _generate_batched(
        self, sequences: Sequence[GeneratedSequence], rows: int, *, can_join_late: bool
    ) -> None:
        groups = _by_context(sequences)
        engine, contexts = self.engine, list(groups)
        budget = TokenBudget(min(engine.runner.budget.tokens, engine.generation_budget.tokens))
        prefix, vectors = engine.runner.prefix, engine.vectors
        own = max(map(len, contexts)) if self.start is None else 1
        columns = own + min(INITIAL_COLUMNS, max(sequence.max_tokens for sequence in sequences))
        prefill: CausalPrefill | EncoderDecoderPrefill
        if self.start is None:
            batch = CausalDecodeBatch(self.network, vectors, rows=rows, columns=columns)
            prefill = CausalPrefill(
                self.network, budget, prefix=prefix, kv_cache=engine.kv_cache, vectors=vectors
            )
        else:
            batch = EncoderDecoderBatch(
                self.network, vectors, rows=rows, columns=columns, can_join_late=can_join_late
            )
            prefill = EncoderDecoderPrefill(
                self.network, budget, start=self.start, prefix=prefix, vectors=vectors
            )
        read, texts = prefill.run(contexts), list(groups.values())
        scheduler = Scheduler(batch, read, texts, self.decoding, rows, self._cache_state)
        try:
            scheduler.run()
        finally:
            self.computed_tokens += prefill.computed_tokens + scheduler.computed_tokens

    def _cache_state(self, sequence: GeneratedSequence, state: Callable[[], KVState]) -> None:
        """Offer what a finished row has read to the next step, which may go on from there."""
        kept = self.engine.kv_cache
        if kept is not None and self.start is None:
            kept.insert((*sequence.context_ids, *sequence.tokens[:-1]), state())

    def _generate_sequentially(self, sequences: Sequence[GeneratedSequence]) -> None:
        prefix = self.engine.runner.prefix
        decoder = SequentialDecoder(self.network, self.engine.vectors, self.start, prefix)
        for ids, texts in _by_context(sequences).items():
            decoder.generate(ids, texts)
        self.computed_tokens += decoder.computed_tokens


def _by_context(
    sequences: Sequence[GeneratedSequence],
) -> dict[tuple[int, ...], list[GeneratedSequence]]:
    groups: dict[tuple[int, ...], list[GeneratedSequence]] = {}
    for sequence in sequences:
        groups.setdefault(sequence.context_ids, []).append(sequence)
    return groups


def _notify(on_text: OnText, owners: Sequence[int], text: str) -> None:
    for owner in owners:
        on_text(owner, text)
