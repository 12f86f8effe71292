"""The benchmarks' own arithmetic: FLOPs, alternation, and what is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from promptlab.errors import WorkError
from promptlab.studies.bench.comparison import (
    Comparison,
    Timing,
    alternate,
    largest_difference,
    report,
    require_same_ids,
)
from promptlab.studies.bench.material import shared_length
from promptlab.studies.bench.roofline import Roofline, forward_cost


def configurations() -> list[tuple[Any, bool]]:
    from transformers import BertConfig, GPT2Config, LlamaConfig

    return [
        (
            BertConfig(
                vocab_size=50,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
            ),
            True,
        ),
        (GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2, n_positions=64), False),
        (
            LlamaConfig(
                vocab_size=50,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                intermediate_size=48,
            ),
            False,
        ),
    ]


@pytest.mark.parametrize(("config", "masked"), configurations())
def test_flops_are_those_that_torch_counts(config: Any, masked: bool) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    auto: Any = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager")
    rows, tokens = 3, 20
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.ones(rows, tokens, dtype=torch.long))
    cost = forward_cost(config, masked=masked)
    found = cost.flops([tokens] * rows, slots=rows * tokens)
    # The counter sees the whole square of a causal model's attention, half of which is needed.
    square = 4 * cost.layers * cost.width * rows * tokens * (tokens - 1) / 2
    assert found + (0 if masked else square) == pytest.approx(counter.get_total_flops(), rel=1e-6)


def test_a_shared_prefix_is_counted_once() -> None:
    cost = forward_cost(configurations()[1][0], masked=False)
    alone = cost.flops([20], slots=1)
    assert cost.flops([20], slots=1, shared=12) == pytest.approx(alone)
    assert cost.flops([20, 20], slots=2, shared=12) < 2 * alone
    with pytest.raises(ValueError, match="masked"):
        forward_cost(configurations()[1][0], masked=True)


@pytest.mark.parametrize(("config", "masked"), configurations())
@pytest.mark.parametrize("frozen", [True, False])
def test_training_flops_are_those_that_torch_counts(
    config: Any, masked: bool, frozen: bool
) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    auto: Any = AutoModelForMaskedLM if masked else AutoModelForCausalLM
    model = auto.from_config(config, attn_implementation="eager").requires_grad_(not frozen)
    rows, tokens = 3, 12
    inputs = torch.randn(rows, tokens, 32, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        model(inputs_embeds=inputs).logits.sum().backward()
    cost = forward_cost(config, masked=masked)
    found = cost.training_flops([tokens] * rows, slots=rows * tokens, frozen=frozen)
    # As above, three times: forward, and the gradients of both sides of each product.
    square = 3 * 4 * cost.layers * cost.width * rows * tokens * (tokens - 1) / 2
    assert found + (0 if masked else square) == pytest.approx(counter.get_total_flops(), rel=1e-6)


def test_known_tokens_are_attended_to_and_nothing_more() -> None:
    cost = forward_cost(configurations()[1][0], masked=False)
    forward = cost.flops([20], slots=0) - cost.flops([12], slots=0)
    known = cost.training_flops([20], slots=0, known=[12])
    # Attention among the eight new tokens alone takes once more than twice a forward.
    among = 4 * cost.layers * cost.width * 8 * (1 + 8) / 2
    assert known == pytest.approx(2 * forward + among)
    assert known < cost.training_flops([20], slots=0) - cost.training_flops([12], slots=0)
    with pytest.raises(ValueError, match="shorter"):
        cost.training_flops([20, 21], slots=0, known=[12])


def test_sides_take_turns_and_warm_up_does_not_count() -> None:
    calls: list[str] = []

    def side(name: str, seconds: float) -> Any:
        def work() -> float:
            calls.append(name)
            return seconds

        return work

    timing = alternate(side("a", 1.0), side("b", 4.0), warm_up=1, repeats=3)
    assert calls == ["a", "b"] * 4
    assert (timing.own, timing.peer) == ((1.0,) * 3, (4.0,) * 3)
    assert timing.roofline.fp32 > 0 and timing.roofline.bf16 > 0


def test_the_document_has_the_main_figures_on_top(capsys: pytest.CaptureFixture[str]) -> None:
    timing = Timing([1.0, 2.0, 9.0], [8.0, 20.0, 20.0], Roofline(1e9, 2e9, 1))
    one = Comparison("peer", timing, 1e9, 1e10, 1e-6, 1e-3, 8.0, {"examples": 3})
    report("name", {"first": one}, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["ratio"] == 10.0 and document["reached"]
    assert document["roofline_percent"] == 50.0
    assert document["max_difference"] == 1e-6
    assert document["comparisons"]["first"]["examples"] == 3
    report("name", {"first": one}, as_json=False)
    assert "10.0x against peer" in capsys.readouterr().out


def test_both_sides_must_read_the_same_tokens() -> None:
    require_same_ids([(1, 2)], [[1, 2]])
    with pytest.raises(WorkError, match="prompt 1"):
        require_same_ids([(1,), (2,)], [[1], [3]])
    assert largest_difference([[0.0, 1.0]], [[0.5, 1.0]]) == 0.5
    assert shared_length([(1, 2, 3), (1, 2, 4), (1, 2)]) == 2


def test_the_older_format_keeps_the_tokens(tmp_path: Any) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

    from promptlab.studies.bench.old_format import write_old_format

    vocabulary = {"<end>": 0, "a": 1, "b": 2, "ab": 3}
    core = Tokenizer(models.BPE(vocabulary, [("a", "b")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer: Any = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")  # type: ignore[no-untyped-call]
    write_old_format(GPT2LMHeadModel(configurations()[1][0]), tokenizer, tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text()) == vocabulary
    assert (tmp_path / "merges.txt").read_text().splitlines() == ["#version: 0.2", "a b"]
    assert json.loads((tmp_path / "config.json").read_text())["torch_dtype"] == "float32"
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "GPT2Tokenizer" and settings["eos_token"] == "<end>"
