"""Scores that are no numbers are an error that says where they begin; nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.engine.network.finite_check import (
    first_non_finite_weight,
    has_finite_rows,
    is_finite,
)
from promptlab.errors import InputError, ModelError, NotFiniteError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.loading import from_transformers, load
from promptlab.models.local import LocalModel
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.tiny_models import Pair

PROMPT = Template("the film . It was {mask}").render({})
ANSWERS = ["great", "terrible"]
MADE = {"llama": tiny_models.llama, "bert": tiny_models.bert, "t5": tiny_models.t5}


def broken_later(make: Callable[[], Pair], layer: str, value: float) -> LocalModel:
    """A model in which one weight is spoiled after it was loaded."""
    model = from_transformers(*make(), name="spoiled")
    weight = dict(model.engine.network.model.named_parameters())[layer]
    weight.data[0, 0] = value
    return model


LAYERS = {
    "llama": "model.layers.1.mlp.down_proj.weight",
    "bert": "bert.encoder.layer.1.output.dense.weight",
    "t5": "decoder.block.1.layer.2.DenseReluDense.wo.weight",
}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", list(MADE))
def test_a_weight_that_is_no_number_is_named(kind: str, value: float) -> None:
    model = broken_later(MADE[kind], LAYERS[kind], value)
    before = len(model.engine.store._memory)
    for work in (
        lambda: model.score([PROMPT], ANSWERS),
        lambda: model.features([PROMPT]),
        lambda: model.fill([PROMPT]),
    ):
        with pytest.raises(NotFiniteError, match=f"spoiled computes .* {LAYERS[kind]} holds NaN"):
            work()
    assert len(model.engine.store._memory) == before
    if kind != "bert":
        with pytest.raises(NotFiniteError, match="for the next token"):
            model.generate([PROMPT], Decoding(max_tokens=2))


def test_a_weight_that_a_layer_hides_is_found_when_the_model_is_loaded(
    folder_of: Callable[..., Any],
) -> None:
    """T5's layers take -inf for 0: what it computes are numbers, and wrong ones."""
    model, tokenizer = tiny_models.t5()
    name = "encoder.block.0.layer.1.DenseReluDense.wi.weight"
    dict(model.named_parameters())[name].data[3, 3] = float("-inf")
    with pytest.raises(InputError, match=rf"{name} in .*model\.safetensors holds NaN or infinity"):
        load(str(folder_of((model, tokenizer))), device="cpu", dtype="float32")
    with pytest.raises(InputError, match=rf"{name} in mine holds NaN or infinity in 1 of its"):
        from_transformers(model, tokenizer, name="mine")


def test_weights_too_large_for_the_format_say_so(folder_of: Callable[..., Any]) -> None:
    model, tokenizer = tiny_models.gpt2()
    model.transformer.h[0].mlp.c_fc.weight.data[0, 0] = 1e6
    folder = folder_of((model, tokenizer))
    assert load(str(folder), device="cpu", dtype="float32").score([PROMPT], ANSWERS)
    with pytest.raises(InputError, match="beyond 65504, which float16 cannot; use --dtype bfl"):
        load(str(folder), device="cpu", dtype="float16")


def test_an_overflow_names_the_module_and_a_wider_format() -> None:
    pair = tiny_models.llama()
    model = from_transformers(pair[0].half(), pair[1], name="narrow")
    network = model.engine.network
    network.model.model.layers[1].mlp.up_proj.weight.data.fill_(60000.0)
    with pytest.raises(
        NotFiniteError,
        match=r"they begin in model\.layers\.1\.mlp\.\w+ \(\w+\); float16 overflows .*bfloat16",
    ):
        model.score([PROMPT], ANSWERS)


def test_a_masked_out_word_is_no_fault_until_it_is_an_answer(tiny_masked: Pair) -> None:
    model, tokenizer = tiny_models.bert()
    word, other = tokenizer.convert_tokens_to_ids(["bad", "good"])
    bias = model.get_output_embeddings().bias
    bias.data[word] = float("-inf")
    assert first_non_finite_weight(model) is None
    made = from_transformers(model, tokenizer, name="masking")
    assert np.isfinite(made.score([PROMPT], ["good", "great"]).logprobs).all()
    assert made.vocabulary_logprobs([PROMPT])[0, word] == -np.inf
    with pytest.raises(NotFiniteError, match=f"for the token {word} of an answer"):
        made.score([PROMPT], ["bad", "good"])
    bias.data[other] = float("inf")
    assert first_non_finite_weight(model) is not None


def test_learned_vectors_that_are_no_numbers_are_refused(causal: LocalModel) -> None:
    width = causal.engine.network.virtual_tokens.width
    for place in ("vectors", "head", "prefix"):
        layers, heads, size = causal.prefix_shape or (0, 0, 0)
        shapes = {"vectors": (2, width), "head": (2, width), "prefix": (layers, 2, heads, 3, size)}
        tensor = torch.zeros(shapes[place])
        tensor[0, 1] = float("nan")
        soft = (("0", 2),) if place == "vectors" else ()
        with pytest.raises(NotFiniteError, match=f"the learned {place} hold NaN or infinity"):
            causal.with_learned_parts(LearnedParts(**{place: tensor}, soft=soft))


def test_what_was_kept_is_no_way_round(causal: LocalModel) -> None:
    """A store that holds NaN all the same gives an error, and no label."""
    from promptlab.engine.scoring.feature_store import context_key
    from promptlab.engine.scoring.request import ScoringResult

    model = from_transformers(*tiny_models.llama(), name="kept")
    context = model.slot_contexts([PROMPT])[0]
    feature = np.full(model.engine.network.virtual_tokens.width, np.nan, dtype=np.float32)
    model.engine.store.save([(context_key(context), ScoringResult(feature, 0.0))], [])
    for work in (lambda: model.score([PROMPT], ANSWERS), lambda: model.features([PROMPT])):
        with pytest.raises(NotFiniteError, match="kept computes no finite number"):
            work()


def test_a_temperature_that_fp32_cannot_hold_is_greedy(causal: LocalModel) -> None:
    greedy = causal.generate([PROMPT], Decoding(max_tokens=4))[0].text
    assert causal.generate([PROMPT], Decoding(max_tokens=4, temperature=1e-300))[0].text == greedy


def test_what_a_models_own_code_raises_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = from_transformers(*tiny_models.llama(), name="fussy")

    def forward(*args: Any, **options: Any) -> Any:
        raise ValueError("chunks of 7 tokens\nand more")

    monkeypatch.setattr(model.engine.network.model, "forward", forward)
    with pytest.raises(
        ModelError, match=r"fussy \(LlamaForCausalLM\) fails on 1 row of .*ValueError \(chunks of 7"
    ):
        model.score([PROMPT], ANSWERS)


def test_numbers_of_every_format_are_looked_at() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn):
        assert is_finite(torch.ones(3).to(dtype))
    assert not is_finite(torch.tensor([1.0, float("nan")]).to(torch.float8_e4m3fn))
    assert not is_finite(torch.tensor([1.0, float("nan"), 2.0]))
    assert is_finite(torch.zeros(0))
    assert is_finite(torch.tensor([1, 2]))
    assert has_finite_rows(torch.tensor([[1.0, float("-inf")]]))
    assert not has_finite_rows(torch.tensor([[1.0, 2.0], [float("-inf"), float("-inf")]]))
