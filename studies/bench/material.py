"""What the benchmarks score: SST-2 sentences, and the models on both sides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promptlab
from promptlab.data.example import Example
from promptlab.engine.scoring.feature_store import FeatureStore
from promptlab.engine.scoring.request import ScoringContext
from promptlab.errors import InputError
from promptlab.models.builtin import BUILTIN_MODELS, model_folder
from promptlab.models.loading import load
from promptlab.models.local import LocalModel
from promptlab.predictors.classifier import PromptClassifier


@dataclass(frozen=True)
class TrainingRow:
    """A prompt of words for a causal model, the one-token answers to it, and the right one.

    ``ids`` are all tokens up to the slot, special tokens too; ``answers[label]`` is a token id.
    Learned vectors are put before ``ids[soft_at]``. ``end`` are the tokens that end a reply.
    """

    ids: tuple[int, ...]
    answers: tuple[int, ...]
    label: int
    soft_at: int = 0
    end: tuple[int, ...] = ()


@dataclass(frozen=True)
class TriggerRow:
    """A prompt with places for trigger tokens, and its label.

    ``ids`` hold anything at the ``places``. The answer is read at position ``slot``: the mask
    token of a masked model, the last token of a causal one.
    """

    ids: tuple[int, ...]
    places: tuple[int, ...]
    slot: int
    label: int


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


def own_model(name: str, *, dtype: str = "float32", device: str = "cpu") -> LocalModel:
    """promptlab's model, in fp32 on the CPU unless told, with nothing remembered on disk."""
    return load(name, device=device, dtype=dtype, cache=False)


def forget(model: LocalModel) -> None:
    """Start a repeat afresh: nothing that an earlier one has computed is known."""
    model.engine.store.close()
    model.engine.store = FeatureStore(None)
    if model.engine.kv_cache is not None:
        model.engine.kv_cache.clear()


def plain_model(
    name: str, *, masked: bool, dtype: str = "float32", device: str = "cpu"
) -> tuple[Any, Any]:
    """The same weights as a plain transformers model, and its tokenizer.

    ``dtype`` is torch's name of a number format, fp32 unless told.
    """
    import torch
    import transformers

    folder: str | Path = model_folder(name) if name in BUILTIN_MODELS else name
    auto: Any = transformers.AutoModelForMaskedLM if masked else transformers.AutoModelForCausalLM
    model = auto.from_pretrained(folder, dtype=getattr(torch, dtype)).eval().to(device)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    return model, tokenizer


def context_ids(model: LocalModel, prompts: Sequence[Any]) -> list[tuple[int, ...]]:
    """The token ids that promptlab's model reads up to (or around) every prompt's slot."""
    return [context.ids for context in model.slot_contexts(prompts)]


def shared_length(rows: Sequence[tuple[int, ...]]) -> int:
    """How many leading tokens all rows have in common."""
    first, last = min(rows), max(rows)
    count = 0
    for a, b in zip(first, last, strict=False):
        if a != b:
            break
        count += 1
    return count


def training_rows(
    classifier: PromptClassifier, examples: Sequence[Example], *, after: str = ""
) -> list[TrainingRow]:
    """The classifier's prompts for a causal model as fixed token ids.

    Learned vectors stand before everything (also before special tokens), or, with ``after``,
    before these last words of the template. Raises ``InputError`` when ``after`` is not the end
    of every prompt and when a label has not just one answer of one token.
    """
    contexts, answers = _one_token_answers(classifier, examples)
    if len(set(classifier.verbalizer.label_of)) != len(classifier.verbalizer.answers):
        raise InputError("a training row needs exactly one answer a label")
    tail = classifier_model(classifier).encoding.encode(after)
    rows = []
    for example, context in zip(examples, contexts, strict=True):
        start = len(context.ids) - len(tail)
        if context.ids[start:] != tail:
            raise InputError(
                f"the prompt of {example.id} does not end with the tokens of {after!r}"
            )
        label = classifier.verbalizer.labels.index(str(example.label))
        rows.append(TrainingRow(context.ids, answers, label, start if tail else 0))
    return rows


def trigger_rows(
    classifier: PromptClassifier, examples: Sequence[Example], *, length: int
) -> tuple[list[TriggerRow], list[tuple[int, ...]]]:
    """The classifier's prompts with ``length`` trigger tokens right before the slot.

    The classifier's template has words alone. Also returned: every label's answers as token ids.
    Raises ``InputError`` when an answer has not just one token.
    """
    contexts, answers = _one_token_answers(classifier, examples)
    rows = []
    for example, context in zip(examples, contexts, strict=True):
        masked = context.position >= 0
        place = context.position if masked else len(context.ids)
        ids = (*context.ids[:place], *([0] * length), *context.ids[place:])
        slot = place + length if masked else place + length - 1
        label = classifier.verbalizer.labels.index(str(example.label))
        rows.append(TriggerRow(ids, tuple(range(place, place + length)), slot, label))
    words = [
        tuple(
            token
            for token, of in zip(answers, classifier.verbalizer.label_of, strict=True)
            if of == label
        )
        for label in range(len(classifier.verbalizer.labels))
    ]
    return rows, words


def classifier_model(classifier: PromptClassifier) -> LocalModel:
    """The classifier's model, which has to be on this machine; ``InputError`` when it is not."""
    if not isinstance(classifier.model, LocalModel):
        raise InputError("the benchmarks need a model on this machine")
    return classifier.model


def _one_token_answers(
    classifier: PromptClassifier, examples: Sequence[Example]
) -> tuple[list[ScoringContext], tuple[int, ...]]:
    """What is read for every example, and the token of each answer, the same after all."""
    model, answers = classifier_model(classifier), classifier.verbalizer.answers
    contexts, found = [], set()
    for asked in model.scoring_requests(
        [classifier.render_prompt(row) for row in examples], answers
    ):
        continuations = asked[0].continuations
        if len(asked) != 1 or {len(ids) for ids in continuations} != {1}:
            raise InputError(f"every answer has to be one token: {', '.join(answers)}")
        contexts.append(asked[0].context)
        found.add(tuple(ids[0] for ids in continuations))
    if len(found) != 1:
        raise InputError("the answers have other tokens after some of the prompts")
    return contexts, found.pop()
