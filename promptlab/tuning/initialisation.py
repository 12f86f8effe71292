"""Where learned vectors start: random, a vocabulary sample, words, or label words.

Initialisation is a first-class choice: Lester et al. 2021 (prompt tuning), section 3.2, and Qin &
Eisner 2021 (from the words of a hard prompt).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from promptlab.errors import InputError
from promptlab.models.local import LocalModel

Init = Literal["random", "vocabulary", "text", "labels"]
MOST_COMMON = 5000
"""A vocabulary sample is drawn from so many ids; tokenizers number frequent tokens first."""


def initial_ids(
    model: LocalModel,
    count: int,
    init: Init,
    *,
    seed: int,
    text: str | None = None,
    answers: Sequence[str] = (),
) -> tuple[int, ...] | None:
    """Token ids whose embeddings ``count`` vectors start from; ``None`` for random vectors.

    *text* is repeated or cut to the length; *labels* are the answer words, filled up with a
    vocabulary sample (Lester et al. 2021). Raises `InputError` when there are no words.
    """
    if init == "random":
        return None
    if init == "text":
        ids = model.encoding.encode(text.strip()) if text and text.strip() else ()
        if not ids:
            raise InputError(
                'initialising from text needs words; write {soft:20 "words to start from"} or '
                "give init_text"
            )
        return tuple(ids[i % len(ids)] for i in range(count))
    sample = _sample(model, count, seed)
    if init == "vocabulary":
        return sample
    if not answers:
        raise InputError("initialising from labels needs answer words, and this task has none")
    first = [model.encoding.encode(f" {answer}")[-1:] for answer in answers]
    words = tuple(token for ids in first for token in ids)[:count]
    return words + sample[len(words) :]


def initial_vectors(
    model: LocalModel, ids: tuple[int, ...] | None, count: int, *, seed: int
) -> Float[Tensor, "token dim"]:
    """The embeddings of ``ids``; without ids normal draws as wide as the embedding's own rows."""
    virtual = model.engine.network.virtual_tokens
    device = model.engine.network.device
    with torch.no_grad():
        if ids is not None:
            return virtual.embed(torch.tensor(ids, device=device))
        rows = virtual.embed(torch.arange(min(virtual.first_id, MOST_COMMON), device=device))
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn((count, virtual.width), generator=generator)
        return drawn.to(device) * rows.std()


def _sample(model: LocalModel, count: int, seed: int) -> tuple[int, ...]:
    special = set(model.tokenizer.all_special_ids)
    most = min(model.engine.network.virtual_tokens.first_id, MOST_COMMON)
    order = torch.randperm(most, generator=torch.Generator().manual_seed(seed)).tolist()
    allowed = [token for token in order if token not in special]
    return tuple(allowed[i % len(allowed)] for i in range(count))
