"""Batches: every index once, the budget kept, lack of memory survived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from promptlab.engine.memory import TokenBudget
from promptlab.errors import WorkError
from promptlab.models.local import LocalModel
from promptlab.prompts.template import Template

LENGTHS = st.lists(st.integers(1, 60), max_size=40)


@given(LENGTHS, st.integers(1, 100))
def test_batches_hold_every_index_once_and_keep_the_budget(lengths: list[int], tokens: int) -> None:
    groups = TokenBudget(tokens).batches(lengths)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    longest = [max(lengths[index] for index in group) for group in groups]
    assert longest == sorted(longest, reverse=True)
    for group, width in zip(groups, longest, strict=True):
        assert len(group) == 1 or len(group) * width <= tokens
    for group in groups[:-1]:
        assert (len(group) + 1) * lengths[group[0]] > tokens  # nothing more would have fitted


@given(LENGTHS, st.integers(1, 100), st.integers(60, 300))
def test_running_out_of_memory_halves_and_loses_nothing(
    lengths: list[int], tokens: int, memory: int
) -> None:
    budget, done = TokenBudget(tokens), []

    def work(batch: list[int]) -> None:
        if len(batch) * max(lengths[index] for index in batch) > memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        done.extend(batch)

    budget.run(lengths, work)
    assert sorted(done) == list(range(len(lengths)))
    assert budget.tokens <= tokens


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")],
)
def test_the_halved_budget_is_remembered(error: Exception) -> None:
    budget, sizes = TokenBudget(100), []

    def work(batch: list[int]) -> None:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise error

    budget.run([10] * 10, work)
    assert sizes == [10, 5, 2, 2, 2, 2, 2]
    assert budget.tokens == 25
    sizes.clear()
    budget.run([10] * 4, work)
    assert sizes == [2, 2]


def test_a_row_that_does_not_fit_alone() -> None:
    def work(batch: list[int]) -> None:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(WorkError, match="a single row of 70 tokens does not fit"):
        TokenBudget(100).run([70, 5], work)


def test_other_errors_are_not_swallowed() -> None:
    def work(batch: list[int]) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        TokenBudget(100).run([1, 2], work)


@pytest.mark.parametrize("name", ["tiny_causal", "tiny_sliding", "tiny_masked", "tiny_seq2seq"])
def test_scores_survive_lack_of_memory(
    name: str, fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [
        Template("{text} It was {mask}").render({"text": "so " * n + "a film"}) for n in range(12)
    ]
    answers = ["great", "marvellous", "terrible"]
    expected = fresh(name).score(prompts, answers).logprobs
    model = fresh(name)
    network, probed = model.engine.network, model.engine.network.gather

    def small(rows: Any, columns: Any, targets: Any, **inputs: Any) -> Any:
        ids = inputs.get("input_ids", inputs.get("decoder_input_ids"))
        if ids.numel() > 60:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return probed(rows, columns, targets, **inputs)

    monkeypatch.setattr(network, "gather", small)
    before = model.engine.runner.budget.tokens
    found = model.score(prompts, answers).logprobs
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert model.engine.runner.budget.tokens < before


def test_a_prefix_that_does_not_fit_is_told(
    fresh: Callable[..., LocalModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fresh("tiny_causal")

    def encode(**inputs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model.engine.network, "run_body", encode)
    prompts = [Template("so " * 50 + "{text} {mask}").render({"text": t}) for t in ("a", "b")]
    with pytest.raises(WorkError, match=r"a single row of \d+ tokens"):
        model.score(prompts, ["great", "bad"])
