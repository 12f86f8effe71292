"""The kind of batching that an encoder-decoder supports when it generates, detected by trying."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor

from promptlab.engine.generation.decode_batch import EncoderDecoderBatch
from promptlab.engine.generation.prefill import EncoderDecoderPrefill, PrefilledContext
from promptlab.engine.memory import TokenBudget
from promptlab.engine.network.model_errors import MODEL_FAILURES, raise_own_mistake
from promptlab.engine.network.network import Network

BatchingMode = Literal["continuous", "static", "sequential", "uncached"]
"""At any time (relative positions), all at once (absolute ones), one row at a time, or one row at
a time without a cache: the whole text is read anew for every token."""


def detect_batching_mode(network: Network, start: int) -> BatchingMode:
    """How texts may join, tried once a network on a small input."""
    if network.batching_mode is None:
        try:
            network.batching_mode = _detect(network, start)
        except MODEL_FAILURES as error:
            raise_own_mistake(error)
            network.batching_mode = "sequential"
    return cast(BatchingMode, network.batching_mode)


def _detect(network: Network, start: int) -> BatchingMode:
    size = int(network.model.config.vocab_size)
    ids = tuple(token % size for token in range(3, 11))
    token = 7 % size
    reader = EncoderDecoderPrefill(
        network, TokenBudget(4096), start=start, prefix=None, vectors=None
    )
    (prefilled,) = reader.run([ids])
    place = torch.zeros(1, dtype=torch.long, device=network.device)
    expected = network.logits(
        place,
        place + 1,
        input_ids=torch.tensor([ids], device=network.device),
        decoder_input_ids=torch.tensor([[start, token]], device=network.device),
        use_cache=False,
    )
    if not _near(_logits_of_first_row(network, prefilled, token), expected):
        return "sequential"
    names = [name for name, _ in network.model.get_decoder().named_modules()]
    relative = any(name.endswith("relative_attention_bias") for name in names)
    late = relative and _near(_logits_of_late_row(network, prefilled, token), expected)
    return "continuous" if late else "static"


def _logits_of_first_row(network: Network, prefilled: PrefilledContext, token: int) -> Tensor:
    """What follows the token in a row that begins with its batch."""
    rows = EncoderDecoderBatch(network, None, rows=1, columns=8, can_join_late=False)
    rows.add(prefilled)
    return rows.step([token])


def _logits_of_late_row(network: Network, prefilled: PrefilledContext, token: int) -> Tensor:
    """What follows the token in a row that joins a batch two steps old."""
    rows = EncoderDecoderBatch(network, None, rows=2, columns=8, can_join_late=True)
    rows.add(prefilled)
    rows.step([token])
    rows.step([token])
    rows.add(prefilled)
    return rows.step([token, token])[1:]


def _near(found: Tensor, expected: Tensor) -> bool:
    tolerance = 1e-3 if found.dtype == torch.float32 else 0.5
    return bool((found - expected).abs().max() <= tolerance * max(1.0, float(expected.std())))
