"""The gathered head against the full head, and the fall-backs where they would differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.engine.network.network import Network
from promptlab.engine.scoring.causal import CausalRunner
from promptlab.models.loading import from_transformers
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template
from tests.helpers import tiny_models
from tests.helpers.reference_forward import causal_answer

Fresh = Callable[..., LocalModel]
ANSWERS = ("great", "marvellous", "not bad")
PROMPTS = [
    Template("{text} It was {mask}").render({"text": text})
    for text in ("a gorgeous film", "x", "the soup was cold and nobody apologised to anybody .")
]
ALL = ["tiny_causal", "tiny_gpt2", "tiny_sliding", "tiny_capped", "tiny_masked", "tiny_roberta"]


@pytest.mark.parametrize("name", [*ALL, "tiny_seq2seq", "tiny_bart"])
def test_the_slot_alone_through_the_head_equals_the_full_head(name: str, fresh: Fresh) -> None:
    gathered, full = fresh(name), fresh(name)
    assert gathered.engine.network.hooks.can_gather
    full.engine.network.hooks.can_gather = False
    left, right = gathered.score(PROMPTS, ANSWERS), full.score(PROMPTS, ANSWERS)
    np.testing.assert_allclose(left.logprobs, right.logprobs, atol=1e-5)


@pytest.mark.parametrize("name", [*ALL, "tiny_seq2seq", "tiny_bart"])
def test_an_affine_head_is_no_assumption(name: str, fresh: Fresh) -> None:
    model, plain = fresh(name), fresh(name)
    assert model.engine.network.head_is_linear == (name != "tiny_capped")
    plain.engine.network.head_is_linear = False
    found = plain.score(PROMPTS, ANSWERS).logprobs
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS).logprobs, found, atol=1e-5)
    for left, right in zip(plain.fill(PROMPTS), model.fill(PROMPTS), strict=True):
        assert [fill.token_id for fill in left] == [fill.token_id for fill in right]
        np.testing.assert_allclose(
            [fill.probability for fill in left], [fill.probability for fill in right], atol=1e-5
        )


def test_the_head_sees_the_probed_places_only(fresh: Fresh) -> None:
    network = fresh("tiny_masked").engine.network
    seen: list[tuple[int, ...]] = []

    def look(module: Any, args: tuple[Any, ...]) -> None:
        seen.append(tuple(args[0].shape))

    handle = network.head.register_forward_pre_hook(look)
    ids = torch.arange(5, 25).repeat(3, 1)
    places = torch.tensor([0, 2, 2, 1])
    network.gather(places, torch.tensor([3, 4, 5, 19]), torch.tensor([-1, 7, -1, 8]), input_ids=ids)
    handle.remove()
    assert seen == [(1, 4, 32)]
    assert network.model(input_ids=ids).logits.shape[:2] == (3, 20)  # a plain call is as before


def test_probes_read_targets(fresh: Fresh) -> None:
    network = fresh("tiny_masked").engine.network
    ids = torch.arange(5, 15)[None]
    found = network.gather(
        torch.tensor([0, 0]), torch.tensor([2, 2]), torch.tensor([-1, 9]), input_ids=ids
    )
    with torch.inference_mode():
        row = network.model(input_ids=ids).logits[0, 2]
    assert found.target_logprob[0] == 0
    assert found.target_logprob[1] == pytest.approx(float(row.log_softmax(-1)[9]), abs=1e-5)
    assert found.log_normaliser.tolist() == pytest.approx([float(row.logsumexp(-1))] * 2, abs=1e-5)


def test_weights_are_frozen(fresh: Fresh) -> None:
    network = fresh("tiny_causal").engine.network
    assert not any(p.requires_grad for p in network.model.parameters())
    assert not network.model.training


@pytest.mark.parametrize("fault", ["other", "error"])
def test_a_head_that_reads_something_else_falls_back(fault: str) -> None:
    """A model that looks at its body's whole output before the head."""
    pair = tiny_models.gpt2()
    plain = pair[0].transformer.forward

    def forward(*args: Any, **inputs: Any) -> Any:
        output = plain(*args, **inputs)
        return Hooked(output)

    class Hooked(dict[str, Any]):
        """An output that ignores what a hook writes into it, or fails afterwards."""

        def __init__(self, output: Any) -> None:
            super().__init__(output)
            self.output, self.written = output, False

        def __setitem__(self, key: Any, value: Any) -> None:
            self.written = True

        def __getitem__(self, key: Any) -> Any:
            if self.written and fault == "error":
                raise IndexError("no such position")
            return self.output[key]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.output, name)

    pair[0].transformer.forward = forward
    model = from_transformers(*pair, name="stubborn")
    assert not model.engine.network.hooks.can_gather
    assert model.engine.network.head_is_linear
    expected = [[causal_answer(pair, p.left, a) for a in ANSWERS] for p in PROMPTS]
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS).logprobs, expected, atol=1e-5)


def test_a_model_without_a_vocabulary_head() -> None:
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    with pytest.raises(TypeError, match="BertModel has no vocabulary head"):
        Network(model)


def test_sliding_and_mixed_layers_share_nothing(fresh: Fresh) -> None:
    for name, shares in (("tiny_sliding", False), ("tiny_capped", True), ("tiny_causal", True)):
        runner = fresh(name).engine.runner
        assert isinstance(runner, CausalRunner)
        assert runner.can_share_prefixes is shares
    pair = tiny_models.gemma2(("sliding_attention", "full_attention"))
    model = from_transformers(*pair, name="mixed")
    assert isinstance(model.engine.runner, CausalRunner)
    assert not model.engine.runner.can_share_prefixes
    expected = [[causal_answer(pair, p.left, a) for a in ANSWERS] for p in PROMPTS]
    np.testing.assert_allclose(model.score(PROMPTS, ANSWERS).logprobs, expected, atol=1e-5)


def test_a_model_that_takes_no_masks_of_ours_shares_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Wherever shared rows differ from plain ones, nothing is shared."""
    pair = tiny_models.llama()
    plain = pair[0].model.forward

    def without_positions(*args: Any, **inputs: Any) -> Any:
        return plain(*args, **(inputs | {"position_ids": None}))

    monkeypatch.setattr(pair[0].model, "forward", without_positions)
    model = from_transformers(*pair, name="positionless")
    assert isinstance(model.engine.runner, CausalRunner)
    assert not model.engine.runner.can_share_prefixes
