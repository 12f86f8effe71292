"""Texts that go on from learned vectors and prefixes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from tests.helpers.reference_learned import CACHE, cache_of
from tests.helpers.tiny_models import Pair

TEXTS = ("the film was good .", "a bad movie about nothing at all", "joy")


def greedy(model: LocalModel, prompt: Prompt, tokens: int) -> list[int]:
    """The most likely token again and again, by scoring every one-token continuation anew."""
    (slot,) = model.slot_contexts([prompt])
    ids: tuple[int, ...] = ()
    for _ in range(tokens):
        context = type(slot)((*slot.ids, *ids))
        row = model.engine.vocabulary_logprobs([context])[0]
        ids = (*ids, int(np.argmax(row)))
    return list(ids)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2"])
@pytest.mark.parametrize("prefix", [0, 3])
def test_greedy_text_is_the_most_likely_one(
    name: str, prefix: int, request: pytest.FixtureRequest
) -> None:
    from promptlab.models.loading import from_transformers

    model = from_transformers(*request.getfixturevalue(name))
    generator = torch.Generator().manual_seed(3)
    shape = model.prefix_shape
    assert shape is not None
    layers, heads, size = shape
    width = model.engine.network.virtual_tokens.width
    learned = LearnedParts(
        vectors=torch.randn(2, width, generator=generator),
        soft=(("0", 2),),
        prefix=torch.randn(layers, 2, heads, prefix, size, generator=generator) if prefix else None,
    )
    adapted = model.with_learned_parts(learned)
    template = Template("{text} {soft:2} It was {mask}")
    prompts = [template.render({"text": text}) for text in TEXTS]
    made = adapted.generate(prompts, Decoding(max_tokens=5))
    for prompt, reply in zip(prompts, made, strict=True):
        expected = greedy(adapted, prompt, 5)
        specials = set(model.tokenizer.all_special_ids)
        ends = [i for i, token in enumerate(expected) if token in specials]
        kept = expected[: ends[0]] if ends else expected
        assert reply.text == model.tokenizer.decode(kept, skip_special_tokens=True)


@pytest.mark.parametrize("name", ["tiny_seq2seq", "tiny_bart"])
def test_a_decoder_goes_on_from_a_prefix(name: str, request: pytest.FixtureRequest) -> None:
    from promptlab.models.loading import from_transformers

    model = from_transformers(*request.getfixturevalue(name))
    assert model.prefix_shape is not None
    layers, heads, size = model.prefix_shape
    zeros = torch.zeros(layers, 2, heads, 1, size)
    drawn = torch.randn(layers, 2, heads, 1, size, generator=torch.Generator().manual_seed(1))
    prompts = [Template("{text} It was {mask}").render({"text": text}) for text in TEXTS]
    texts = [
        [
            reply.text
            for reply in model.with_learned_parts(LearnedParts(prefix=part)).generate(
                prompts, Decoding(max_tokens=6)
            )
        ]
        for part in (zeros, 40 * drawn)
    ]
    assert len(texts[0]) == len(TEXTS)
    assert texts[0] != texts[1]


@torch.inference_mode()
def written(model: Any, ids: tuple[int, ...], prefix: Tensor, count: int) -> list[int]:
    """What transformers writes after a prefix, the whole text read anew for every token."""
    tokens: list[int] = []
    forced = model.generation_config.forced_bos_token_id
    while len(tokens) < count and model.config.eos_token_id not in tokens[1:]:
        begun = torch.tensor([[model.config.decoder_start_token_id, *tokens]])
        cache = EncoderDecoderCache(cache_of(prefix), DynamicCache())
        inputs: dict[str, Any] = {"decoder_input_ids": begun, CACHE: cache}
        logits = model(input_ids=torch.tensor([ids]), **inputs).logits[0, -1]
        first = not tokens and forced is not None
        tokens.append(int(forced) if first else int(logits.argmax()))
    return tokens


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("name", ["tiny_seq2seq", "tiny_bart"])
def test_what_a_decoder_writes_after_a_prefix_is_what_transformers_writes(
    name: str, deterministic: bool, request: pytest.FixtureRequest
) -> None:
    from promptlab.models.loading import from_transformers

    pair: Pair = request.getfixturevalue(name)
    model = from_transformers(*pair, deterministic=deterministic)
    assert model.prefix_shape is not None
    layers, heads, size = model.prefix_shape
    drawn = 5 * torch.randn(layers, 2, heads, 3, size, generator=torch.Generator().manual_seed(4))
    view = model.with_learned_parts(LearnedParts(prefix=drawn))
    prompts = [Template("{text} It was {mask}").render({"text": text}) for text in TEXTS]
    replies = view.generate(prompts, Decoding(max_tokens=6))
    for ids, reply in zip(view.prompt_token_ids(prompts), replies, strict=True):
        expected = written(pair[0], ids, drawn, 6)
        assert reply.text == model.tokenizer.decode(expected, skip_special_tokens=True)
    without = [reply.text for reply in model.generate(prompts, Decoding(max_tokens=6))]
    assert [reply.text for reply in replies] != without


@pytest.mark.parametrize("name", ["tiny_sliding", "tiny_causal", "tiny_seq2seq", "tiny_bart"])
def test_every_token_goes_through_the_network_once(
    name: str, request: pytest.FixtureRequest
) -> None:
    from promptlab.models.loading import from_transformers

    pair: Pair = request.getfixturevalue(name)
    model = from_transformers(*pair, deterministic=True)
    (prompt, *_) = [Template("{text} It was {mask}").render({"text": text}) for text in TEXTS]
    seen: list[int] = []
    weight = pair[0].get_input_embeddings().weight
    hooks = [
        module.register_forward_hook(lambda module, args, output: seen.append(args[0].numel()))
        for module in pair[0].modules()
        if isinstance(module, torch.nn.Embedding) and module.weight is weight
    ]
    decoding = Decoding(max_tokens=12, temperature=2.0, seed=5)
    replies = model.generate([prompt] * 6, decoding, samples=range(6))
    for hook in hooks:
        hook.remove()
    read = len(model.prompt_token_ids([prompt])[0]) + (1 if model.family == "seq2seq" else 0)
    assert max(reply.tokens_out for reply in replies) > 3
    once = read + sum(reply.tokens_out - 1 for reply in replies)
    assert sum(seen) == once == model.usage.computed_tokens
