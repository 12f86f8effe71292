"""Products of features and rows: right, and the same bits whatever they are computed beside."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from promptlab.engine.network import vocabulary_head as module
from promptlab.engine.network.vocabulary_head import batch_invariant_products, log_normalisers


@pytest.mark.parametrize("numbers", [1, 700, 10**6])
def test_every_product_is_its_own(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_PRODUCTS", numbers)
    draw = np.random.default_rng(3)
    features = draw.normal(size=(7, 97)).astype(np.float32)
    rows = draw.normal(size=(11, 97)).astype(np.float32)
    whole = batch_invariant_products(features, rows)
    np.testing.assert_allclose(whole, features.astype(float) @ rows.astype(float).T, atol=1e-12)
    for slot in range(7):
        for token in range(11):
            alone = batch_invariant_products(features[slot : slot + 1], rows[token : token + 1])
            assert alone[0, 0] == whole[slot, token]
    assert (batch_invariant_products(features[::-1], rows[3:8]) == whole[::-1, 3:8]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("logits", [1, 250, 1 << 18])
def test_normalisers_of_few_rows_at_a_time_are_the_same_bits(
    dtype: torch.dtype, logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_LOGITS", logits)
    rows = (5 * torch.randn(9, 101, generator=torch.Generator().manual_seed(3))).to(dtype)
    found = log_normalisers(rows)
    assert found.dtype == torch.float32
    assert torch.equal(found, rows.float().logsumexp(dim=-1))
    by_hand = rows.double().exp().sum(dim=-1).log()
    torch.testing.assert_close(found.double(), by_hand, atol=1e-5, rtol=0)
    assert log_normalisers(rows[:0]).shape == (0,)
