"""Texts that go on from learned vectors and prefixes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from promptlab.decoding import Decoding
from promptlab.models.learned import Learned
from promptlab.models.local import LocalModel
from promptlab.prompt import Prompt
from promptlab.template import Template

TEXTS = ("the film was good .", "a bad movie about nothing at all", "joy")


def greedy(model: LocalModel, prompt: Prompt, tokens: int) -> list[int]:
    """The most likely token again and again, by scoring every one-token continuation anew."""
    (question,) = model.slot_contexts([prompt])
    ids: tuple[int, ...] = ()
    for _ in range(tokens):
        context = type(question.context)((*question.context.ids, *ids))
        row = model.engine.vocabulary([context])[0]
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
    width = model.engine.network.virtual.width
    learned = Learned(
        vectors=torch.randn(2, width, generator=generator),
        soft=(("0", 2),),
        prefix=torch.randn(layers, 2, heads, prefix, size, generator=generator) if prefix else None,
    )
    adapted = model.adapted(learned)
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
            for reply in model.adapted(Learned(prefix=part)).generate(
                prompts, Decoding(max_tokens=6)
            )
        ]
        for part in (zeros, 40 * drawn)
    ]
    assert len(texts[0]) == len(TEXTS)
    assert texts[0] != texts[1]
