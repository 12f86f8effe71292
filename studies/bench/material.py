"""What the benchmarks score: SST-2 sentences, and the models on both sides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import promptlab
from promptlab.engine.store import FeatureStore
from promptlab.errors import InputError
from promptlab.example import Example
from promptlab.models.convert import MODELS, model_folder
from promptlab.models.loading import load
from promptlab.models.local import LocalModel


def sst2_examples(
    count: int, seed: int, *, tokenizer: Any = None, tokens: range | None = None
) -> list[Example]:
    """``count`` labelled SST-2 sentences in a seeded order, field ``text``.

    With ``tokenizer`` and ``tokens`` only sentences of so many tokens. Sentences with digits are
    left out: the older tokenizers that some peers need cut them otherwise. Raises ``InputError``
    when there are fewer.
    """
    task = promptlab.load_task("sst2")
    rows = sorted((*task.train, *task.dev, *task.test), key=lambda example: example.id)
    kept = [row for row in rows if not any(c.isdigit() for c in row.fields["text"])]
    if tokens is not None:
        kept = [row for row in kept if len(tokenizer(row.fields["text"])["input_ids"]) in tokens]
    if len(kept) < count:
        raise InputError(f"{count} sentences are asked for and SST-2 has {len(kept)} such ones")
    random.Random(seed).shuffle(kept)
    return kept[:count]


def own_model(name: str) -> LocalModel:
    """promptlab's model in fp32 on the CPU, with nothing remembered on disk."""
    return load(name, device="cpu", dtype="float32", cache=False)


def forget(model: LocalModel) -> None:
    """Start a repeat afresh: nothing that an earlier one has computed is known."""
    model.engine.store.close()
    model.engine.store = FeatureStore(None)


def plain_model(name: str, *, masked: bool) -> tuple[Any, Any]:
    """The same weights as a plain transformers model in fp32, and its tokenizer."""
    import torch
    import transformers

    folder: str | Path = model_folder(name) if name in MODELS else name
    auto: Any = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    return model, tokenizer


def context_ids(model: LocalModel, prompts: Sequence[Any]) -> list[tuple[int, ...]]:
    """The token ids that promptlab's model reads up to (or around) every prompt's slot."""
    return [question.context.ids for question in model.slot_contexts(prompts)]


def shared_length(rows: Sequence[tuple[int, ...]]) -> int:
    """How many leading tokens all rows have in common."""
    first, last = min(rows), max(rows)
    count = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        count += 1
    return count
