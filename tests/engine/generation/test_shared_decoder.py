"""One continuation of several contexts: the quick way says what the plain one says."""

from __future__ import annotations

import pytest
import torch

from promptlab.engine.generation.shared_decoder import (
    KeptDecoder,
    RecomputingDecoder,
    SharedContexts,
    SharedDecoder,
    make_shared_decoder,
)
from promptlab.errors import CapabilityError
from promptlab.models.local import LocalModel

CONTEXTS = ((5, 6, 7, 8, 9), (10, 11), (12, 13, 14, 15, 16, 17, 18))


def contexts_of(model: LocalModel) -> SharedContexts:
    if model.family == "seq2seq":
        start = int(model.engine.network.model.config.decoder_start_token_id)
        return SharedContexts(CONTEXTS, (start, 9))
    return SharedContexts(CONTEXTS)


def walk(decoder: SharedDecoder) -> list[torch.Tensor]:
    """Four steps of a search whose texts change parents and grow in number."""
    found = [decoder.begin()]
    found.append(decoder.advance([0, 0, 0], [20, 21, 22]))
    found.append(decoder.advance([2, 0, 0, 1], [23, 24, 25, 26]))
    found.append(decoder.advance([3, 3], [27, 28]))
    found.append(decoder.advance([1, 0, 1], [29, 30, 31]))
    return found


@pytest.mark.parametrize("name", ["seq2seq", "causal", "gpt2"])
def test_kept_states_say_what_reading_anew_says(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: LocalModel = request.getfixturevalue(name)
    network, contexts = model.engine.network, contexts_of(model)
    plain = walk(RecomputingDecoder(network, contexts))
    quick = KeptDecoder(network, contexts)
    for a, b in zip(plain, walk(quick), strict=True):
        assert a.shape == b.shape and float((a - b).abs().max()) < 1e-4
    assert isinstance(make_shared_decoder(network, contexts), KeptDecoder)
    monkeypatch.setattr("promptlab.engine.generation.shared_decoder._MOST_ROWS", 3)
    for a, b in zip(plain, walk(KeptDecoder(network, contexts)), strict=True):
        assert float((a - b).abs().max()) < 1e-4  # one continuation at a time


def test_every_context_is_read_once(seq2seq: LocalModel) -> None:
    network, contexts = seq2seq.engine.network, contexts_of(seq2seq)
    quick, plain = KeptDecoder(network, contexts), RecomputingDecoder(network, contexts)
    walk(quick), walk(plain)
    texts = 3 + 4 + 2 + 3
    assert quick.tokens_computed == sum(map(len, CONTEXTS)) + 3 * 2 + 3 * texts
    assert plain.tokens_computed > 5 * quick.tokens_computed


def test_a_network_that_differs_is_read_the_plain_way(
    causal: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, contexts = causal.engine.network, contexts_of(causal)
    whole = KeptDecoder.begin
    monkeypatch.setattr(KeptDecoder, "begin", lambda self: whole(self) + 1.0)
    assert isinstance(make_shared_decoder(network, contexts), RecomputingDecoder)
    with pytest.raises(CapabilityError, match="no context"):
        make_shared_decoder(network, SharedContexts(()))
