"""Scores computed the plain, slow way with transformers alone: what the engine must equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from tests.helpers.tiny_models import Pair


@torch.inference_mode()
def logprobs(model: Any, ids: Sequence[int], **inputs: Any) -> Any:
    """Log-probabilities ``[token, vocab]`` in nats after every token of one row."""
    logits = model(input_ids=torch.tensor([list(ids)]), **inputs).logits[0]
    return logits.float().log_softmax(-1)


def causal_continuation(pair: Pair, context: Sequence[int], continuation: Sequence[int]) -> float:
    """Log-likelihood of ``continuation`` after ``context`` from one forward over both."""
    found = logprobs(pair[0], [*context, *continuation])
    start = len(context)
    return sum(float(found[start + i - 1, token]) for i, token in enumerate(continuation))


def causal_answer(pair: Pair, left: str, answer: str, right: str = "") -> float:
    """Log-likelihood of the filled prompt from the slot on; the space before it is the answer's."""
    tokenizer = pair[1]
    context = tokenizer(left.rstrip(" "))["input_ids"] or [tokenizer.eos_token_id]
    whole = tokenizer(left + answer + right)["input_ids"]
    start = len(context) if left else len(tokenizer("")["input_ids"])
    assert whole[:start] == context or not left
    return causal_continuation(pair, context, whole[start:])


def masked_answer(pair: Pair, left: str, answer: str, right: str = "") -> float:
    """Log-likelihood of an answer that fills as many masks as it has tokens, left to right."""
    model, tokenizer = pair
    spaced = f" {answer}" if left[-1:].isspace() else answer
    tokens = tokenizer(spaced, add_special_tokens=False)["input_ids"]
    ids = list(tokenizer(left + tokenizer.mask_token * len(tokens) + right)["input_ids"])
    before = tokenizer(left, add_special_tokens=False)["input_ids"].count(tokenizer.mask_token_id)
    places = [i for i, token in enumerate(ids) if token == tokenizer.mask_token_id][before:]
    total = 0.0
    for place, token in zip(places, tokens, strict=False):
        total += float(logprobs(model, ids)[place, token])
        ids[place] = token
    return total


def seq2seq_answer(pair: Pair, left: str, answer: str, right: str = "") -> float:
    """Log-likelihood that the decoder writes ``answer`` for the slot (after T5's sentinel)."""
    model, tokenizer = pair
    start = [model.config.decoder_start_token_id]
    if "<extra_id_0>" in tokenizer.get_vocab():
        text = f"{left}<extra_id_0>{right}"
        start += tokenizer.convert_tokens_to_ids(["<extra_id_0>"])
    else:
        text = left.rstrip()
        start += tokenizer("")["input_ids"][:1]  # a text of this model begins with <s>
    tokens = tokenizer(answer, add_special_tokens=False)["input_ids"]
    found = logprobs(
        model, tokenizer(text)["input_ids"], decoder_input_ids=torch.tensor([[*start, *tokens]])
    )
    return sum(float(found[len(start) + i - 1, token]) for i, token in enumerate(tokens))
