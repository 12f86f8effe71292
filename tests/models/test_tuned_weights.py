"""Tuned weights: private copies, what changed, LoRA merged, misfits refused before any copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.engine.network.network import Network
from promptlab.errors import CapabilityError, InputError
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import (
    TunedWeights,
    add_lora,
    changed_tensors,
    check_targets,
    lora_tensors,
)
from promptlab.prompts.prompt import Prompt, Slot, Text
from tests.conftest import wrapped
from tests.helpers import tiny_models

PROMPTS = [Prompt((Text(f"a {word} film . It was "), Slot())) for word in ("dull", "witty")]
ANSWERS = ["great", "terrible"]
FAMILIES = ["tiny_masked", "tiny_causal", "tiny_gpt2", "tiny_seq2seq"]
Fresh = Callable[..., LocalModel]


def state(model: LocalModel) -> dict[str, torch.Tensor]:
    found = model.base.engine.network.model.state_dict()
    return {name: tensor.clone() for name, tensor in found.items()}


def logprobs(model: LocalModel) -> Any:
    return model.score(PROMPTS, ANSWERS).logprobs


def shifted(model: LocalModel) -> LocalModel:
    """A private copy of which most weights have changed."""
    private = model.trainable_copy()
    with torch.no_grad():
        for name, parameter in private.engine.network.model.named_parameters():
            if "norm" not in name.lower():
                parameter += 0.02
    return private


def updated(model: LocalModel, targets: str = "default") -> tuple[LocalModel, TunedWeights]:
    """A private copy with low-rank updates that change something, and these updates."""
    private = model.trainable_copy()
    peft, facts = add_lora(private.engine.network, 3, 6.0, targets, seed=1)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.2)
    return private, TunedWeights(lora_tensors(peft), facts)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_private_copy_scores_the_same_and_is_apart(fresh: Fresh, name: str) -> None:
    model = fresh(name)
    before, found = state(model), logprobs(model)
    private = shifted(model)
    np.testing.assert_array_equal(logprobs(model.trainable_copy()), found)
    assert np.abs(logprobs(private) - found).max() > 1e-3
    assert all(torch.equal(before[k], tensor) for k, tensor in state(model).items())
    np.testing.assert_array_equal(logprobs(fresh(name)), found)  # the hooks are back


def test_a_private_copy_is_in_fp32_and_stays_tied() -> None:
    pair = tiny_models.gpt2()
    model = wrapped((pair[0].to(torch.bfloat16), pair[1]), "half")
    private = model.trainable_copy().engine.network
    assert model.dtype == "bfloat16"
    assert private.dtype == torch.float32
    assert private.head.weight is private.virtual_tokens.embedding.weight


@pytest.mark.parametrize("name", FAMILIES)
def test_what_changed_gives_the_tuned_model(fresh: Fresh, name: str, tmp_path: Path) -> None:
    model = fresh(name)
    private = shifted(model)
    changed = changed_tensors(private.engine.network, model.engine.network)
    assert 0 < len(changed) < len(state(model))
    assert not any("norm" in tensor.lower() for tensor in changed)
    view = model.with_learned_parts(LearnedParts(weights=TunedWeights(changed)))
    np.testing.assert_array_equal(logprobs(view), logprobs(private))
    view.save_learned(tmp_path)
    again = model.load_learned(tmp_path)
    assert isinstance(again, LocalModel)
    assert again.key == view.key != model.key
    np.testing.assert_array_equal(logprobs(again), logprobs(view))


@pytest.mark.parametrize("targets", ["default", "all-linear"])
@pytest.mark.parametrize("name", FAMILIES)
def test_merged_updates_equal_pefts_own_forward(
    fresh: Fresh, name: str, targets: str, tmp_path: Path
) -> None:
    model = fresh(name)
    found = logprobs(model)
    private, weights = updated(model, targets)
    view = model.with_learned_parts(LearnedParts(weights=weights))
    np.testing.assert_allclose(logprobs(view), logprobs(private), atol=1e-5)
    assert np.abs(logprobs(view) - found).max() > 1e-3
    view.save_learned(tmp_path)
    again = model.load_learned(tmp_path)
    assert isinstance(again, LocalModel)
    np.testing.assert_array_equal(logprobs(again), logprobs(view))
    np.testing.assert_array_equal(logprobs(fresh(name)), found)


def test_merged_updates_equal_pefts_logits(fresh: Fresh) -> None:
    model = fresh("tiny_causal")
    private, weights = updated(model)
    ids = torch.arange(4, 20)[None]
    with torch.no_grad():
        expected = private.engine.network.model(input_ids=ids).logits
        view = model.with_learned_parts(LearnedParts(weights=weights))
        found = view.engine.network.model(input_ids=ids).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_every_weight_is_in_the_key(fresh: Fresh) -> None:
    model = fresh("tiny_masked")
    changed = changed_tensors(shifted(model).engine.network, model.engine.network)
    first = TunedWeights(changed)
    name = sorted(changed)[0]
    second = TunedWeights(changed | {name: changed[name] + 1e-6})
    assert len({first.key, second.key, TunedWeights(changed, {"r": 1}).key}) == 3
    assert LearnedParts(weights=first).key != LearnedParts(weights=second).key


@pytest.mark.parametrize(
    ("tensors", "lora", "told"),
    [
        ({"bert.embeddings.word_embeddings.weight": (9, 32)}, None, r"\(9, 32\).*has \(\d+, 32\)"),
        ({"bert.encoder.layer.7.output.dense.bias": (32,)}, None, "layer.7.*none of that name"),
        (
            {"base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight": (2, 48)},
            {"r": 2},
            r"\(2, 48\).*has \(2, 32\)",
        ),
    ],
)
def test_misfits_are_refused_before_anything_is_copied(
    masked: LocalModel, tensors: Any, lora: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(network: Network) -> Network:
        raise AssertionError("the model was copied")

    monkeypatch.setattr(Network, "trainable_copy", copied)
    weights = TunedWeights({name: torch.zeros(shape) for name, shape in tensors.items()}, lora)
    with pytest.raises(InputError, match=told):
        masked.with_learned_parts(LearnedParts(weights=weights))


def test_another_model_is_refused_with_both_numbers(fresh: Fresh, tmp_path: Path) -> None:
    model = fresh("tiny_gpt2")
    _, weights = updated(model)
    model.with_learned_parts(LearnedParts(weights=weights)).save_learned(tmp_path)
    with pytest.raises(InputError, match=r"a vocabulary of \d+ tokens.*a vocabulary of \d+ tokens"):
        fresh("tiny_masked").load_learned(tmp_path)
    pair = tiny_models.gpt2()
    pair[0].resize_token_embeddings(700)
    with pytest.raises(InputError, match=r"a vocabulary of \d+ tokens.*a vocabulary of 700 tokens"):
        wrapped(pair, "larger").load_learned(tmp_path)


def test_quantised_weights_are_refused() -> None:
    model = wrapped(tiny_models.bert(), "quantised")
    model.engine.network.model.is_quantized = True
    with pytest.raises(CapabilityError, match="quantised are quantised, so they cannot be trained"):
        model.trainable_copy()


def test_architectures_without_default_layers(fresh: Fresh) -> None:
    network = fresh("tiny_masked").trainable_copy().engine.network
    network.model.config.model_type = "unheard-of"
    with pytest.raises(InputError, match="unheard-of; set targets: all-linear"):
        check_targets(network, "default")
    check_targets(network, "all-linear")
