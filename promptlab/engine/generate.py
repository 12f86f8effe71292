"""Generated text: batches of prompts of like length, padded on the left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from promptlab.decoding import Decoding, Generation
from promptlab.engine.batch import TokenBudget
from promptlab.engine.engine import Engine
from promptlab.engine.question import Usage


def generate(
    engine: Engine, tokenizer: Any, contexts: Sequence[tuple[int, ...]], decoding: Decoding
) -> list[Generation]:
    """Continue every context; stop strings are cut off. Sampling is seeded per batch."""
    replies: dict[int, Generation] = {}
    budget = TokenBudget(getattr(engine.runner, "budget", TokenBudget(2048)).tokens)

    def work(batch: list[int]) -> None:
        started = time.perf_counter()
        texts = _batch(engine, tokenizer, [contexts[index] for index in batch], decoding)
        seconds = time.perf_counter() - started
        for index, (text, count) in zip(batch, texts, strict=True):
            replies[index] = Generation(text, len(contexts[index]), count, seconds / len(batch))
        tokens = sum(r.tokens_in + r.tokens_out for r in (replies[i] for i in batch))
        engine.usage += Usage(tokens, tokens, seconds)

    budget.run([len(ids) + decoding.max_tokens for ids in contexts], work)
    return [replies[index] for index in range(len(contexts))]


def _batch(
    engine: Engine,
    tokenizer: Any,
    contexts: Sequence[tuple[int, ...]],
    decoding: Decoding,
) -> list[tuple[str, int]]:
    network = engine.network
    width = max(map(len, contexts))
    ids = torch.zeros((len(contexts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, context in enumerate(contexts):
        ids[row, width - len(context) :] = torch.tensor(context)
        mask[row, width - len(context) :] = 1
    torch.manual_seed(decoding.seed)
    output = network.generate(
        input_ids=ids.to(network.device),
        attention_mask=mask.to(network.device),
        tokenizer=tokenizer,
        **_arguments(decoding, tokenizer),
    )
    encoder_decoder = network.model.config.is_encoder_decoder
    texts = []
    for row in output.tolist():
        new = row[1:] if encoder_decoder else row[width:]
        new = [token for token in new if token != tokenizer.pad_token_id]
        texts.append(
            (_stopped(tokenizer.decode(new, skip_special_tokens=True), decoding), len(new))
        )
    return texts


def _arguments(decoding: Decoding, tokenizer: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "max_new_tokens": decoding.max_tokens,
        "do_sample": decoding.temperature > 0,
        "pad_token_id": tokenizer.pad_token_id or tokenizer.eos_token_id or 0,
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
