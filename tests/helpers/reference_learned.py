"""Learned vectors and prefixes scored with transformers alone, with a graph: what ours must equal.

Words are embedded by hand, vectors put between them (``inputs_embeds``), and a prefix is a plain
`DynamicCache`; masked models, which take none, get an attention function written here.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, GPT2LMHeadModel
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from promptlab.prompts.prompt import Prompt, Slot, Soft, Text, Trigger
from tests.helpers.tiny_models import CHAT, Pair

CACHE = next(
    name
    for name in ("cache", "past_key_values")
    if name in inspect.signature(GPT2LMHeadModel.forward).parameters
)
"""What the installed transformers calls the cache that a forward is given."""
Row = list[int | Tensor]
"""Token ids, and vectors ``[token, dim]`` between them."""


@dataclass(frozen=True)
class Parts:
    """Vectors by segment (a shared id ``#x``, else a number), triggers, and a prefix."""

    vectors: Mapping[str, Tensor] = field(default_factory=dict)
    triggers: Sequence[Tensor | tuple[int, ...]] = ()
    prefix: Tensor | None = None


def answer_scores(
    pair: Pair, prompt: Prompt, answers: Sequence[str], parts: Parts, *, family: str = ""
) -> Tensor:
    """Log-likelihoods ``[answer]`` in nats; the family is seen in the model's class, if it can."""
    masked = "MaskedLM" in type(pair[0]).__name__
    if family == "masked" or (masked and not family):
        return _masked(pair, prompt, answers, parts)
    if family == "seq2seq" or (pair[0].config.is_encoder_decoder and not family):
        return _seq2seq(pair, prompt, answers, parts)
    return _causal(pair, prompt, answers, parts)


def sides(prompt: Prompt, parts: Parts) -> tuple[list[str | Row], list[str | Row]]:
    """Words and learned segments before and after the slot."""
    found: tuple[list[str | Row], list[str | Row]] = ([], [])
    side, numbers, triggers = 0, 0, iter(parts.triggers)
    for segment in prompt.segments:
        if isinstance(segment, Slot):
            side = 1
        elif isinstance(segment, Text):
            found[side].append(segment.text)
        elif isinstance(segment, Trigger):
            tokens = next(triggers)
            found[side].append([tokens] if isinstance(tokens, Tensor) else list(tokens))
        elif isinstance(segment, Soft):
            name = f"#{segment.id}" if segment.id is not None else str(numbers)
            numbers += segment.id is None
            found[side].append([parts.vectors[name]])
    return found


def _causal(pair: Pair, prompt: Prompt, answers: Sequence[str], parts: Parts) -> Tensor:
    model, tokenizer = pair
    left, right = sides(prompt, parts)
    begin: Row = list(tokenizer("")["input_ids"])
    if prompt.chat:
        begin = []
        assert tokenizer.chat_template == CHAT
        left = _chat(left)
    head, words = _up_to_last(left, tokenizer)
    next_words, tail = _from_first(right, tokenizer)
    plain = _ids(tokenizer, words)
    filled = [_ids(tokenizer, words + answer + next_words) for answer in answers]
    shared = min(_agreement(plain, ids) for ids in filled)
    context: Row = [*begin, *head, *plain[:shared]]
    if not context:
        start = tokenizer.bos_token_id
        context = [tokenizer.eos_token_id if start is None else start]
    found = []
    for ids in filled:
        row: Row = [*context, *ids[shared:], *tail]
        logprobs = _forward(model, row, parts.prefix).log_softmax(-1)
        places = _places(row)
        first = sum(_length(part) for part in context)
        wanted = [(place, token) for place, token in places if place >= first]
        found.append(torch.stack([logprobs[place - 1, token] for place, token in wanted]).sum())
    return torch.stack(found)


def _masked(pair: Pair, prompt: Prompt, answers: Sequence[str], parts: Parts) -> Tensor:
    model, tokenizer = pair
    left, right = sides(prompt, parts)
    head, words = _up_to_last(left, tokenizer)
    next_words, tail = _from_first(right, tokenizer)
    around = tokenizer("")["input_ids"]
    mask = tokenizer.mask_token
    found = []
    for answer in answers:
        tokens = _ids(tokenizer, f" {answer}" if words[-1:].isspace() else answer)
        ids = _ids(tokenizer, words + mask * len(tokens) + next_words)
        before = _ids(tokenizer, words).count(tokenizer.mask_token_id)
        row: Row = [around[0], *head, *ids, *tail, around[1]]
        places = [place for place, token in _places(row) if token == tokenizer.mask_token_id]
        total = torch.zeros(())
        for place, token in zip(places[before:], tokens, strict=False):
            with attending(model, parts.prefix):
                logits = model(inputs_embeds=_embedded(model, row)).logits[0]
            total = total + logits.log_softmax(-1)[place, token]
            row[_index(row, place)] = token
        found.append(total)
    return torch.stack(found)


def _seq2seq(pair: Pair, prompt: Prompt, answers: Sequence[str], parts: Parts) -> Tensor:
    model, tokenizer = pair
    left, right = sides(prompt, parts)
    head, words = _up_to_last(left, tokenizer)
    next_words, tail = _from_first(right, tokenizer)
    around = tokenizer("")["input_ids"]
    start = [model.config.decoder_start_token_id]
    sentinel = "<extra_id_0>" in tokenizer.get_vocab()
    if sentinel:
        start += [tokenizer.convert_tokens_to_ids("<extra_id_0>")]
        ids = _ids(tokenizer, f"{words}<extra_id_0>{next_words}")
        row: Row = [*head, *ids, *tail, *around]
    else:
        start += around[:1]
        row = [around[0], *head, *_ids(tokenizer, words.rstrip()), around[1]]
    found = []
    for answer in answers:
        tokens = _ids(tokenizer, answer)
        options = {}
        if parts.prefix is not None:
            options[CACHE] = EncoderDecoderCache(cache_of(parts.prefix), DynamicCache())
        logits = model(
            inputs_embeds=_embedded(model, row),
            decoder_input_ids=torch.tensor([[*start, *tokens]]),
            **options,
        ).logits[0]
        logprobs = logits.float().log_softmax(-1)
        steps = enumerate(tokens, start=len(start) - 1)
        found.append(torch.stack([logprobs[place, token] for place, token in steps]).sum())
    return torch.stack(found)


def _forward(model: Any, row: Row, prefix: Tensor | None) -> Tensor:
    """Logits ``[token, vocab]`` of one row after a prefix."""
    options: dict[str, Any] = {"use_cache": False}
    if prefix is not None:
        options = {CACHE: cache_of(prefix)}
    logits: Tensor = model(inputs_embeds=_embedded(model, row), **options).logits[0]
    return logits.float()


def cache_of(prefix: Tensor) -> DynamicCache:
    """A prefix ``[layer, 2, head, token, size]`` as transformers' own cache."""
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(prefix):
        cache.update(keys[None], values[None], layer)
    return cache


def _embedded(model: Any, row: Row) -> Tensor:
    """The row's vectors ``[1, token, dim]``."""
    table = model.get_input_embeddings()
    made = [part if isinstance(part, Tensor) else table(torch.tensor([part])) for part in row]
    return torch.cat(made)[None]


def _length(part: int | Tensor) -> int:
    return len(part) if isinstance(part, Tensor) else 1


def _places(row: Row) -> list[tuple[int, int]]:
    """Where the row's real tokens stand."""
    found, place = [], 0
    for part in row:
        if not isinstance(part, Tensor):
            found.append((place, part))
        place += _length(part)
    return found


def _index(row: Row, place: int) -> int:
    """The index in the row of what stands at a place."""
    at = 0
    for index, part in enumerate(row):
        if at == place:
            return index
        at += _length(part)
    raise AssertionError(place)


def _up_to_last(stretches: Sequence[str | Row], tokenizer: Any) -> tuple[Row, str]:
    """The row up to the last learned segment, and the words after it."""
    row: Row = []
    words = ""
    for stretch in stretches:
        if isinstance(stretch, str):
            words = stretch
        else:
            row += [*_ids(tokenizer, words.rstrip()), *stretch]
            words = ""
    return row, words


def _from_first(stretches: Sequence[str | Row], tokenizer: Any) -> tuple[str, Row]:
    """The words before the first learned segment, and the row from it on."""
    first = next((i for i, s in enumerate(stretches) if not isinstance(s, str)), None)
    if first is None:
        return "".join(s for s in stretches if isinstance(s, str)), []
    words = stretches[0] if first else ""
    assert isinstance(words, str)
    row, rest = _up_to_last(stretches[first:], tokenizer)
    return words.rstrip(), [*row, *_ids(tokenizer, rest)]


def _chat(left: list[str | Row]) -> list[str | Row]:
    """The user's turn and the beginning of the assistant's, as the tiny chat template has them."""
    inner = list(left)
    if inner and isinstance(inner[0], str):
        inner[0] = inner[0].lstrip()
    if inner and isinstance(inner[-1], str):
        inner[-1] = inner[-1].rstrip()
    merged: list[str | Row] = []
    for part in ["<|user|>", *inner, "\n<|assistant|>"]:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return merged


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _agreement(left: Sequence[int], right: Sequence[int]) -> int:
    count = 0
    while count < min(len(left), len(right)) and left[count] == right[count]:
        count += 1
    return count


_PREFIX: dict[int, Tensor] = {}
"""Keys and values ``[2, head, token, size]`` of the attention modules that have a prefix now."""


def _with_prefix(
    module: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **options: Any
) -> tuple[Tensor, None]:
    """Softmax attention over a prefix's keys and values and all of the row's own."""
    if (state := _PREFIX.get(id(module))) is not None:
        key = torch.cat([state[0][None].expand(len(key), -1, -1, -1), key], dim=2)
        value = torch.cat([state[1][None].expand(len(value), -1, -1, -1), value], dim=2)
    weights = (query @ key.mT * query.shape[-1] ** -0.5).softmax(-1)
    return (weights @ value).transpose(1, 2).contiguous(), None


AttentionInterface.register("with_prefix", _with_prefix)


@contextmanager
def attending(model: Any, prefix: Tensor | None) -> Iterator[None]:
    """While inside, every layer of a masked model attends its part of the prefix, too."""
    if prefix is None:
        yield
        return
    before = model.config._attn_implementation
    layers = [layer.attention.self for layer in model.base_model.encoder.layer]
    _PREFIX.update((id(module), part) for module, part in zip(layers, prefix, strict=True))
    model.config._attn_implementation = "with_prefix"
    try:
        yield
    finally:
        model.config._attn_implementation = before
        _PREFIX.clear()
