"""Generated text: batches of prompts of like length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from promptlab.decoding import Decoding, Generation
from promptlab.engine.engine import Engine
from promptlab.engine.network import Network
from promptlab.engine.prefix import PrefixState
from promptlab.engine.probe import padded, padding_mask
from promptlab.engine.question import Usage


def generate(
    engine: Engine, tokenizer: Any, contexts: Sequence[tuple[int, ...]], decoding: Decoding
) -> list[Generation]:
    """Continue every context; stop strings are cut off. Sampling is seeded per batch."""
    replies: dict[int, Generation] = {}

    def work(batch: list[int]) -> None:
        started = time.perf_counter()
        texts = _batch(engine, tokenizer, [contexts[index] for index in batch], decoding)
        seconds = time.perf_counter() - started
        for index, (text, count) in zip(batch, texts, strict=True):
            replies[index] = Generation(text, len(contexts[index]), count, seconds / len(batch))
        tokens = sum(r.tokens_in + r.tokens_out for r in (replies[i] for i in batch))
        engine.usage += Usage(tokens, tokens, seconds)

    engine.generation_budget.run([len(ids) + decoding.max_tokens for ids in contexts], work)
    return [replies[index] for index in range(len(contexts))]


def _batch(
    engine: Engine,
    tokenizer: Any,
    contexts: Sequence[tuple[int, ...]],
    decoding: Decoding,
) -> list[tuple[str, int]]:
    network = engine.network
    encoder_decoder = bool(network.model.config.is_encoder_decoder)
    prefix = engine.runner.prefix
    if encoder_decoder:
        inputs = _encoder_inputs(network, contexts, prefix)
        start = inputs["decoder_input_ids"].shape[1] if prefix else 1
    else:
        inputs = _decoder_inputs(network, contexts, prefix)
        start = inputs["input_ids"].shape[1]
    with network.learned(engine.vectors):
        output = network.generate(
            seed=decoding.seed, tokenizer=tokenizer, **inputs, **_arguments(decoding, tokenizer)
        )
    texts = []
    for row in output.tolist():
        new = _written(row[start:], tokenizer)
        texts.append(
            (_stopped(tokenizer.decode(new, skip_special_tokens=True), decoding), len(new))
        )
    return texts


def _decoder_inputs(
    network: Network, contexts: Sequence[tuple[int, ...]], prefix: PrefixState | None
) -> dict[str, Any]:
    """Rows padded on the left: what is continued stands at their ends.

    A learned prefix stands before the padding, and its keys and values in the cache.
    """
    length = prefix.length if prefix else 0
    own = [context[length:] for context in contexts]
    ids, mask = padded(own, network.device), padding_mask(own, network.device)
    shifts = [ids.shape[1] - len(context) for context in own]
    ids, mask = (
        torch.stack([row.roll(shift) for row, shift in zip(rows, shifts, strict=True)])
        for rows in (ids, mask)
    )
    if prefix is None:
        return {"input_ids": ids, "attention_mask": mask}
    before = torch.ones((len(own), length), dtype=torch.long, device=network.device)
    return {
        "input_ids": torch.cat([before, ids], dim=1),
        "attention_mask": torch.cat([before, mask], dim=1),
        "past_key_values": _growing(prefix, len(own), network),
    }


def _encoder_inputs(
    network: Network, contexts: Sequence[tuple[int, ...]], prefix: PrefixState | None
) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "input_ids": padded(contexts, network.device),
        "attention_mask": padding_mask(contexts, network.device),
    }
    if prefix is None:
        return inputs
    start = network.model.config.decoder_start_token_id
    inputs["decoder_input_ids"] = torch.full(
        (len(contexts), prefix.length + 1), start, device=network.device
    )
    own = _growing(prefix, len(contexts), network)
    inputs["past_key_values"] = EncoderDecoderCache(own, DynamicCache())
    return inputs


def _growing(prefix: PrefixState, rows: int, network: Network) -> DynamicCache:
    """A cache that begins with the prefix in every row."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefix.layers):
        expanded = [
            state.to(network.dtype).expand(rows, -1, -1, -1).clone() for state in (keys, values)
        ]
        cache.update(expanded[0], expanded[1], layer)
    return cache


def _written(row: list[int], tokenizer: Any) -> list[int]:
    """What stands before the padding, and (T5) before the sentinel that ends the slot's words."""
    end = len(row)
    while end and row[end - 1] == _padding(tokenizer):
        end -= 1
    sentinel = tokenizer.get_vocab().get("<extra_id_1>")
    return row[: row.index(sentinel)] if sentinel in row[:end] else row[:end]


def _padding(tokenizer: Any) -> int:
    known = [tokenizer.pad_token_id, tokenizer.eos_token_id, 0]
    return next(int(token) for token in known if token is not None)


def _arguments(decoding: Decoding, tokenizer: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "max_new_tokens": decoding.max_tokens,
        "do_sample": decoding.temperature > 0,
        "pad_token_id": _padding(tokenizer),
    }
    if decoding.temperature > 0:
        arguments |= {
            "temperature": decoding.temperature,
            "top_k": decoding.top_k or 0,
            "top_p": decoding.top_p or 1.0,
        }
    if decoding.stop:
        arguments["stop_strings"] = list(decoding.stop)
    return arguments


def _stopped(text: str, decoding: Decoding) -> str:
    """The text up to the first stop string."""
    ends = [text.find(stop) for stop in decoding.stop if stop in text]
    return text[: min(ends)] if ends else text
