"""Products of features and rows: right, and the same bits whatever they are computed beside."""

from __future__ import annotations

import numpy as np
import pytest

from promptlab.engine.network import vocabulary_head as module
from promptlab.engine.network.vocabulary_head import batch_invariant_products


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
