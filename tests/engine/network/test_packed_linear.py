"""Weights packed for the CPU give what plain ones give, and follow their changes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.pytorch_utils import Conv1D

from promptlab.engine.network import packed_linear
from promptlab.engine.network.network import Network
from promptlab.engine.network.packed_linear import PackedLinears


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(256, 300), nn.Tanh(), Conv1D(512, 300), nn.Linear(512, 4))


@pytest.mark.parametrize("rows", [1, 7, 90])
def test_packed_layers_compute_the_same(rows: int) -> None:
    plain, given = model(), torch.randn(rows, 2, 256)
    layers = PackedLinears(plain)
    assert len(layers.modules) == 2  # the last is too small to gain
    with torch.inference_mode():
        expected = plain(given)
        with layers.active():
            assert torch.allclose(plain(given), expected, atol=1e-5)
            assert ("forward" in plain[0].__dict__) == layers.is_usable
    assert not any("forward" in module.__dict__ for module in plain)


def test_a_changed_weight_is_packed_anew() -> None:
    plain, given = model(), torch.randn(3, 256)
    layers = PackedLinears(plain)
    with torch.inference_mode(), layers.active():
        before = plain(given)
    with torch.no_grad():
        plain[0].weight.mul_(2.0)
        plain[0].bias.add_(1.0)
    with torch.inference_mode():
        expected = plain(given)
        with layers.active():
            assert torch.allclose(plain(given), expected, atol=1e-5)
    assert not torch.allclose(before, expected, atol=1e-2)


def test_a_copy_made_meanwhile_has_its_own_weights() -> None:
    plain = model()
    with PackedLinears(plain).active():
        pass
    other = copy.deepcopy(plain)
    nn.init.zeros_(other[0].weight)
    assert not torch.equal(plain(torch.ones(1, 256)), other(torch.ones(1, 256)))


def test_nothing_is_packed_where_it_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not PackedLinears(model().to(torch.bfloat16)).is_usable
    assert not PackedLinears(nn.Linear(8, 8)).is_usable
    monkeypatch.setattr(packed_linear, "MEMORY_DIVISOR", 10**9)
    assert not PackedLinears(model()).is_usable


def test_a_torch_without_onednn_computes_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_linear, "can_pack", lambda: False)
    plain, layers = model(), PackedLinears(model())
    assert not layers.is_usable
    with layers.active():
        assert plain(torch.ones(1, 256)).shape == (1, 4)


def test_a_network_is_read_through_its_packed_layers() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=600,
    )  # fmt: skip
    network = Network(LlamaForCausalLM(config))
    assert network.packed_linears.is_usable
    rows, columns = torch.tensor([0, 1]), torch.tensor([4, 6])
    targets = torch.tensor([3, -1])
    ids = torch.randint(600, (2, 7))
    found = network.gather(rows, columns, targets, input_ids=ids)
    logits = network.model(ids).logits[rows, columns].log_softmax(-1)
    assert float(found.target_logprob[0]) == pytest.approx(float(logits[0, 3]), abs=1e-5)
    hidden = network.model.model(ids).last_hidden_state[rows, columns]
    assert torch.allclose(found.features, hidden, atol=1e-5)
    with torch.no_grad():
        network.model.lm_head.weight.mul_(2.0)
    again = network.gather(rows, columns, targets, input_ids=ids)
    logits = network.model(ids).logits[rows, columns].log_softmax(-1)
    assert float(again.target_logprob[0]) == pytest.approx(float(logits[0, 3]), abs=1e-5)
