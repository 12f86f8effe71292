"""Generation in batches against transformers' own, one prompt at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import Pair

from promptlab.decoding import Decoding
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.template import Template

TEXTS = ("a gorgeous film", "x", "the soup was cold and nobody apologised .", "dull")

Fresh = Callable[..., LocalModel]


def prompts(template: str = "{text} It was {mask}") -> list[Any]:
    return [Template(template).render({"text": text}) for text in TEXTS]


@torch.inference_mode()
def plain(pair: Pair, text: str, tokens: int) -> list[int]:
    """The new tokens of a greedy generation, end token included."""
    model, tokenizer = pair
    encoded = tokenizer(text, return_tensors="pt")
    ids = model.generate(
        input_ids=encoded.input_ids,
        attention_mask=encoded.attention_mask,
        max_new_tokens=tokens,
        do_sample=False,
        pad_token_id=tokenizer.eos_token_id,
    )[0]
    start = 1 if model.config.is_encoder_decoder else encoded.input_ids.shape[1]
    return list(ids[start:].tolist())


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped"])
def test_greedy_equals_one_by_one(name: str, fresh: Fresh, request: pytest.FixtureRequest) -> None:
    pair = request.getfixturevalue(name)
    found = fresh(name).generate(prompts(), Decoding(max_tokens=12))
    for prompt, reply in zip(prompts(), found, strict=True):
        tokens = plain(pair, prompt.left.rstrip(), 12)
        assert reply.text == pair[1].decode(tokens, skip_special_tokens=True)
        assert reply.tokens_in == len(pair[1](prompt.left.rstrip())["input_ids"])
        assert len(tokens) - 1 <= reply.tokens_out <= len(tokens)
    assert len({reply.text for reply in found}) > 1


def test_bart_writes_what_it_writes_alone(fresh: Fresh, tiny_bart: Pair) -> None:
    found = fresh("tiny_bart").generate(prompts(), Decoding(max_tokens=10))
    for prompt, reply in zip(prompts(), found, strict=True):
        tokens = plain(tiny_bart, prompt.left.rstrip(), 10)
        assert reply.text == tiny_bart[1].decode(tokens, skip_special_tokens=True)


def test_stop_strings_end_a_reply(fresh: Fresh) -> None:
    whole = fresh("tiny_gpt2").generate(prompts(), Decoding(max_tokens=12))
    stop = whole[0].text[4:7]
    cut = fresh("tiny_gpt2").generate(prompts(), Decoding(max_tokens=12, stop=(stop, "never")))
    assert cut[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert cut[0].tokens_out < whole[0].tokens_out


def test_sampling_is_seeded(fresh: Fresh) -> None:
    model = fresh("tiny_causal")

    def texts(**settings: Any) -> list[str]:
        decoding = Decoding(max_tokens=8, **settings)
        return [reply.text for reply in model.generate(prompts(), decoding)]

    assert texts(temperature=1.0, seed=1) == texts(temperature=1.0, seed=1)
    assert texts(temperature=1.0, seed=1) != texts(temperature=1.0, seed=2)
    assert texts(temperature=1.0, seed=1, top_k=1) == texts()
    assert texts(temperature=1.0, seed=1, top_p=1e-6) == texts()


def test_generation_is_counted(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    replies = model.generate(prompts(), Decoding(max_tokens=5))
    assert model.usage.tokens == sum(r.tokens_in + r.tokens_out for r in replies)
    assert all(reply.seconds > 0 for reply in replies)


def test_small_batches_lose_nobody(fresh: Fresh) -> None:
    large, small = fresh("tiny_gpt2"), fresh("tiny_gpt2")
    small.engine.generation_budget.tokens = 1
    decoding = Decoding(max_tokens=6)
    left, right = large.generate(prompts(), decoding), small.generate(prompts(), decoding)
    assert [reply.text for reply in left] == [reply.text for reply in right]


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="max_tokens is 0"):
        Decoding(max_tokens=0)
    with pytest.raises(InputError, match=r"temperature is -1"):
        Decoding(temperature=-1.0)
