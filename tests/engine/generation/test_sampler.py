"""Tokens are drawn row by row from streams of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.engine.generation import sampler
from promptlab.engine.generation.sampler import PhiloxStream, sample_tokens
from promptlab.prompts.decoding import Decoding
from tests.helpers import reference_generation

NUMBERS = [0.234560119346, 0.098692317246, 0.303254846261]
"""The first ones of one stream."""


def test_a_stream_is_the_same_on_every_machine() -> None:
    stream = PhiloxStream(7, 2, (1, 2, 3))
    assert [round(stream.next(), 12) for _ in range(3)] == NUMBERS
    others = [
        PhiloxStream(8, 2, (1, 2, 3)),
        PhiloxStream(7, 1, (1, 2, 3)),
        PhiloxStream(7, 2, (1, 2)),
    ]
    assert NUMBERS[0] not in [round(other.next(), 12) for other in others]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(2, 700),
    st.floats(0.2, 3.0),
    st.one_of(st.none(), st.integers(1, 800)),
    st.one_of(st.none(), st.floats(0.05, 1.0)),
    st.integers(0, 2**32 - 1),
)
def test_rows_are_drawn_as_alone(
    rows: int, size: int, heat: float, top_k: int | None, top_p: float | None, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    logits = torch.from_numpy(generator.normal(size=(rows, size)) * 3).float()
    numbers = generator.uniform(size=rows).tolist()
    decoding = Decoding(temperature=heat, top_k=top_k, top_p=top_p)
    tokens, logprobs = sample_tokens(logits, decoding, numbers)
    for row, (token, number) in enumerate(zip(tokens.tolist(), numbers, strict=True)):
        assert token == reference_generation.drawn(logits[row].double().numpy(), decoding, number)
    expected = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    assert torch.allclose(logprobs, expected, atol=1e-5)


def test_a_wide_nucleus_needs_all_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "NUCLEUS_CANDIDATES", 8)
    logits = torch.zeros(2, 300)
    logits[1, 5] = 50.0
    decoding = Decoding(temperature=1.0, top_p=0.9)
    tokens, _ = sample_tokens(logits, decoding, [0.8, 0.8])
    assert tokens[0] > 100 and tokens[1] == 5


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2.0**-53])
def test_the_ends_of_the_interval(number: float) -> None:
    logits = torch.full((1, 600), -torch.inf)
    logits[0, [3, 300, 570]] = 0.0
    token = int(sample_tokens(logits, Decoding(temperature=1.0), [number])[0][0])
    assert token == {0.0: 3, 0.5: 300}.get(number, 570)
    top = int(sample_tokens(logits, Decoding(temperature=1.0, top_k=2), [number])[0][0])
    assert logits[0, top] == 0.0
