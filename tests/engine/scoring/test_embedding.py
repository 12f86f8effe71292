"""Hidden states of texts equal those of a plain forward, one text at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from promptlab.engine.scoring.embedding import Pooling, TextEmbedder
from tests.conftest import wrapped

ROWS = [(5, 6, 7, 8, 9), (10, 11), (12, 13, 14)]


def plain(model: Any, row: tuple[int, ...], pooling: str) -> torch.Tensor:
    ids = torch.tensor([row])
    body = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    with torch.no_grad():
        states = body(input_ids=ids).last_hidden_state[0]
    return {"first": states[0], "last": states[-1], "mean": states.mean(0)}[pooling]


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("tiny_masked", "first"), ("tiny_causal", "last"), ("tiny_gpt2", "last"),
     ("tiny_sliding", "last"), ("tiny_seq2seq", "mean"), ("tiny_bart", "mean")],
)  # fmt: skip
def test_states_equal_a_plain_forward(
    request: pytest.FixtureRequest, name: str, pooling: Pooling
) -> None:
    pair = request.getfixturevalue(name)
    model = wrapped(pair, name)
    reader = TextEmbedder(model.engine.network, model.engine.runner, pooling)
    expected = torch.stack([plain(pair[0], row, pooling) for row in ROWS])
    assert reader.width == expected.shape[1]
    torch.testing.assert_close(reader.embed(ROWS), expected, atol=1e-5, rtol=1e-5)
    assert reader.computed_tokens == sum(map(len, ROWS))


def test_batches_of_a_budget_change_nothing(request: pytest.FixtureRequest) -> None:
    model = wrapped(request.getfixturevalue("tiny_masked"), "tiny_masked")
    reader = TextEmbedder(model.engine.network, model.engine.runner, "first")
    whole = reader.embed(ROWS)
    reader.budget.tokens = 1
    # Batches of other sizes round as a plain forward does: by up to 1.4e-6 on states of order 1.
    torch.testing.assert_close(reader.embed(ROWS), whole, atol=1e-5, rtol=1e-5)
    assert reader.embed([]).shape == (0, 32)


def test_the_graph_leads_to_the_weights(request: pytest.FixtureRequest) -> None:
    model = wrapped(request.getfixturevalue("tiny_masked"), "tiny_masked").trainable_copy()
    network = model.engine.network
    for parameter in network.model.parameters():
        parameter.requires_grad_(True)
    reader = TextEmbedder(network, model.engine.runner, "first")
    reader.embed_with_graph(ROWS).square().sum().backward()
    assert network.virtual_tokens.embedding.weight.grad.abs().sum() > 0
