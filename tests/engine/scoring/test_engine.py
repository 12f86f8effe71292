"""The engine: nothing is computed twice, costs are counted, vocabularies equal plain logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from promptlab.engine.scoring.request import ScoringContext, ScoringRequest, Usage
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from tests.helpers.reference_forward import logprobs
from tests.helpers.tiny_models import Pair

Fresh = Callable[..., LocalModel]
PREFIX = Template("{text} It was {mask}")
PROMPTS = [
    PREFIX.render({"text": f"the {thing} was here ."})
    for thing in ("film", "soup", "plot", "gorgeous journey", "spectacle")
]


@pytest.mark.parametrize(
    "name",
    ["tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_masked", "tiny_roberta", "tiny_seq2seq"],
)
def test_another_verbalizer_computes_nothing(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    model.score(PROMPTS, ["great", "terrible"])
    computed = model.usage.computed_tokens
    assert computed > 0
    other = model.score(PROMPTS, ["good", "bad", "terrible"])
    assert model.usage.computed_tokens == computed
    assert set(other.answer_tokens.ravel().tolist()) <= {1, 2}
    again = fresh(name).score(PROMPTS, ["good", "bad", "terrible"])
    np.testing.assert_allclose(other.logprobs, again.logprobs, atol=1e-5)
    assert model.usage.tokens > computed


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_capped", "tiny_masked", "tiny_seq2seq"])
def test_the_same_answers_again_compute_nothing(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    answers = ["great", "marvellous", "not bad"]
    first = model.score(PROMPTS, answers).logprobs
    computed = model.usage.computed_tokens
    np.testing.assert_array_equal(model.score(PROMPTS, answers).logprobs, first)
    np.testing.assert_array_equal(model.score(PROMPTS[::-1], answers[1:]).logprobs, first[::-1, 1:])
    assert model.usage.computed_tokens == computed


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_capped", "tiny_masked"])
def test_a_new_engine_finds_what_is_on_the_disk(name: str, fresh: Fresh, own_cache: Path) -> None:
    answers = ["great", "marvellous"]
    first, second = fresh(name, cache=True), fresh(name, cache=True)
    path = first.engine.store.path
    assert path is not None and path.exists() and path.parent == own_cache / "features"
    expected = first.score(PROMPTS, answers).logprobs
    np.testing.assert_array_equal(second.score(PROMPTS, answers).logprobs, expected)
    assert second.usage.computed_tokens == 0
    assert second.usage.tokens == first.usage.tokens


def test_keys_tell_models_and_formats_apart(fresh: Fresh, tiny_causal: Pair) -> None:
    keys = [
        fresh("tiny_causal").key,
        fresh("tiny_causal", deterministic=True).key,
        fresh("tiny_gpt2").key,
        fresh("tiny_causal", weights="other").key,
    ]
    assert len(set(keys)) == 4
    assert fresh("tiny_causal").key == keys[0]


def test_equal_contexts_are_computed_once(fresh: Fresh) -> None:
    once, often = fresh("tiny_masked"), fresh("tiny_masked")
    once.score(PROMPTS[:1], ["great", "bad"])
    found = often.score([PROMPTS[0]] * 7, ["great", "bad"]).logprobs
    assert often.usage.computed_tokens == once.usage.computed_tokens
    assert (found == found[0]).all()


def test_nothing_asked_nothing_done(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    assert model.engine.score([]) == []
    assert model.engine.features([]).shape == (0, 32)
    assert model.score([], ["great"]).logprobs.shape == (0, 1)
    assert model.fill([]) == []
    assert model.usage.computed_tokens == 0


@pytest.mark.parametrize(
    "name",
    ["tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped", "tiny_masked", "tiny_roberta"],
)
@pytest.mark.parametrize("template", ["{text} It was {mask}.", "{text} so {mask}"])
def test_filling_equals_a_plain_softmax(
    name: str, template: str, fresh: Fresh, request: pytest.FixtureRequest
) -> None:
    network, tokenizer = request.getfixturevalue(name)
    prompts = [Template(template).render({"text": t}) for t in ("a film", "the soup was cold")]
    for prompt, fills in zip(prompts, fresh(name).fill(prompts, top=6), strict=True):
        if tokenizer.mask_token is None:
            row = logprobs(network, tokenizer(prompt.left.rstrip())["input_ids"])[-1]
        else:
            ids = tokenizer(prompt.fill(tokenizer.mask_token))["input_ids"]
            row = logprobs(network, ids)[ids.index(tokenizer.mask_token_id)]
        best = row.exp().topk(6)
        assert [fill.token_id for fill in fills] == best.indices.tolist()
        np.testing.assert_allclose([f.probability for f in fills], best.values, atol=1e-5)
        text = tokenizer.decode([fills[0].token_id]).removeprefix("##")
        assert "\ufffd" in text or fills[0].token == text  # half a character is shown as bytes


@pytest.mark.parametrize("name", ["tiny_seq2seq", "tiny_bart"])
def test_seq2seq_filling(name: str, fresh: Fresh, request: pytest.FixtureRequest) -> None:
    network, tokenizer = request.getfixturevalue(name)
    model = fresh(name)
    (fills,) = model.fill(PROMPTS[:1], top=3)
    text = f"{PROMPTS[0].left}<extra_id_0>" if name == "tiny_seq2seq" else PROMPTS[0].left.rstrip()
    begun = tokenizer.convert_tokens_to_ids("<extra_id_0>" if name == "tiny_seq2seq" else "<s>")
    start = torch.tensor([[network.config.decoder_start_token_id, begun]])
    row = logprobs(network, tokenizer(text)["input_ids"], decoder_input_ids=start)[-1]
    np.testing.assert_allclose([f.probability for f in fills], row.exp().topk(3).values, atol=1e-5)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_masked", "tiny_seq2seq"])
def test_features_are_what_the_head_reads(name: str, fresh: Fresh) -> None:
    model = fresh(name)
    contexts = model.slot_contexts(PROMPTS)
    features = model.engine.features(contexts)
    assert features.shape == (5, 32)
    head = model.engine.network.head
    product = features @ head.weight.detach().numpy().T
    if head.bias is not None:
        product += head.bias.detach().numpy()
    expected = model.engine.vocabulary_logprobs(contexts)
    difference = product - expected
    np.testing.assert_allclose(difference - difference.mean(1, keepdims=True), 0, atol=1e-5)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_gpt2", "tiny_masked", "tiny_seq2seq"])
def test_deterministic_results_know_no_company(name: str, fresh: Fresh) -> None:
    together = fresh(name, deterministic=True).score(PROMPTS, ["great", "marvellous", "bad"])
    for row in (3, 0, 1):
        alone = fresh(name, deterministic=True)
        found = alone.score([PROMPTS[row]], ["great", "marvellous", "bad"]).logprobs[0]
        assert found.tolist() == together.logprobs[row].tolist()
    plain = fresh(name).score(PROMPTS, ["great", "marvellous", "bad"])
    np.testing.assert_allclose(together.logprobs, plain.logprobs, atol=1e-5)


def test_costs_add_up(fresh: Fresh) -> None:
    model = fresh("tiny_masked")
    scores = model.score(PROMPTS, ["great", "bad"])
    usage = model.usage
    assert usage.tokens == scores.prompt_tokens.sum() + scores.answer_tokens.sum()
    assert usage.computed_tokens == scores.prompt_tokens.sum()
    assert 0 < usage.seconds <= scores.seconds
    assert usage.peak_bytes > 10**6
    total = Usage(1, 2, 0.5, 7) + Usage(10, 20, 0.25, 3)
    assert total == Usage(11, 22, 0.75, 7)


def test_only_the_new_continuations_are_computed(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    context = ScoringContext((0, 5, 6, 7))
    model.engine.score([ScoringRequest(context, ((1,), (2, 3, 4)))])
    before = model.usage.computed_tokens
    model.engine.score([ScoringRequest(context, ((9,), (2, 3, 4), (2, 3, 5)))])
    assert model.usage.computed_tokens - before == 4 + 2
