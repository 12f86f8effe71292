"""Networks that know nothing: of the same architecture, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from promptlab.errors import CapabilityError
from promptlab.models.local import LocalModel
from promptlab.predictors.knowledge_probe.controls import CONTROLS, ControlName, control_model
from promptlab.prompts.template import Template
from tests.helpers.scripted_model import ScriptedModel

PROMPTS = [
    Template("the {thing} was {mask}").render({"thing": thing}) for thing in ("film", "soup")
]
ANSWERS = ["great", "terrible", "soup spectacle"]
PAIRS = ["tiny_masked", "tiny_causal", "tiny_gpt2", "tiny_seq2seq"]


def weights(model: LocalModel) -> dict[str, torch.Tensor]:
    return dict(model.engine.network.model.named_parameters())


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_is_drawn_by_its_seed_and_leaves_the_model(
    pair: str, control: ControlName, fresh: Callable[..., LocalModel]
) -> None:
    model = fresh(pair)
    before = model.score(PROMPTS, ANSWERS).logprobs
    first, again = (control_model(model, control, 1).score(PROMPTS, ANSWERS) for _ in range(2))
    other = control_model(model, control, 2).score(PROMPTS, ANSWERS)
    np.testing.assert_array_equal(first.logprobs, again.logprobs)
    assert not np.allclose(first.logprobs, other.logprobs)
    assert not np.allclose(first.logprobs, before)
    np.testing.assert_array_equal(fresh(pair).score(PROMPTS, ANSWERS).logprobs, before)


@pytest.mark.parametrize("pair", PAIRS)
def test_random_embeddings_leave_all_other_weights(
    pair: str, fresh: Callable[..., LocalModel]
) -> None:
    model = fresh(pair)
    found, own = weights(control_model(model, "random_embeddings", 1)), weights(model)
    changed = {name for name in own if not torch.equal(own[name], found[name])}
    embedding = model.engine.network.model.get_input_embeddings().weight
    assert changed == {name for name in own if own[name] is embedding}


@pytest.mark.parametrize("pair", PAIRS)
def test_random_weights_are_those_of_a_network_before_its_training(
    pair: str, fresh: Callable[..., LocalModel]
) -> None:
    model = fresh(pair)
    own = model.engine.network.model
    torch.manual_seed(1)
    drawn = dict(type(own)(own.config).named_parameters())
    found = weights(control_model(model, "random_weights", 1))
    assert found.keys() == drawn.keys()
    assert all(torch.equal(found[name], drawn[name]) for name in drawn)
    assert any(not torch.equal(found[name], weights(model)[name]) for name in drawn)


def test_a_control_draws_nothing_from_the_callers_generator(
    fresh: Callable[..., LocalModel],
) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    control_model(fresh("tiny_masked"), "random_weights", 1)
    assert torch.equal(torch.rand(3), expected)


def test_a_model_elsewhere_has_no_control(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CapabilityError, match="no weights here"):
        control_model(ScriptedModel(), "random_weights", 1)
    model = fresh("tiny_masked")
    monkeypatch.setattr(model.engine.network.model, "is_quantized", True, raising=False)
    with pytest.raises(CapabilityError, match="quantised"):
        control_model(model, "random_weights", 1)
