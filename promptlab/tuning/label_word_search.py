"""A verbalizer whose words were found at the answer slot (AutoPrompt; Shin et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from promptlab.data.example import Example
from promptlab.errors import InputError
from promptlab.models.local import LocalModel
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.prompt import Prompt
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Aggregation, Verbalizer
from promptlab.tuning.label_word_probe import LabelWord, LabelWords, find_label_words
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

SPARE = 4
"""So many times the words that are wanted are looked at; some are not scored as one token."""
RESERVE = 8
"""Tokens of the window that are kept free for the answer."""


def find_slot_words(
    template: Template,
    model: LocalModel,
    examples: Sequence[Example],
    labels: Sequence[str],
    tokens: TokenFilter,
    *,
    top: int = 3,
    aggregation: Aggregation = "sum",
) -> tuple[Verbalizer, LabelWords]:
    """For every label the ``top`` words that a linear probe on the slot's features knows best.

    Whole words that are one token at the slot, lower case if the vocabulary has any. ``model``
    must be able to read the template (its learned parts included). Raises `InputError`.
    """
    prompts = [render_truncated(template, example, (), model, RESERVE) for example in examples]
    features = model.engine.features(model.slot_contexts(prompts))
    entries = _entries(model, prompts[0], tokens)
    network = model.engine.network
    with torch.no_grad():
        rows = (
            network.vocabulary_head.rows(torch.tensor(entries, device=network.device)).cpu().numpy()
        )
    count = top * SPARE
    found = find_label_words(
        features,
        np.array([labels.index(str(example.label)) for example in examples]),
        rows,
        classes=len(labels),
        allowed=np.ones(len(entries), dtype=bool),
        top=min(count, max(top, len(entries) // (4 * len(labels)))),
    )
    words: dict[str, list[str]] = {}
    kept: list[tuple[LabelWord, ...]] = []
    for label, ranked in zip(labels, found.words, strict=True):
        known = [LabelWord(int(entries[word.token]), word.score) for word in ranked]
        known = [word for word in known if _is_one_token(model, prompts[0], word.token)][:top]
        if len(known) < top:
            raise InputError(
                f"only {len(known)} words found for the label {label!r} are one token at the "
                f"slot, and {top} are wanted; ask for fewer, or end the text before {{mask}} "
                "with a space"
            )
        words[label] = [model.encoding.token(word.token).strip() for word in known]
        kept.append(tuple(known))
    verbalizer = Verbalizer(words, aggregation=aggregation)
    return verbalizer, LabelWords(tuple(kept), found.accuracy)


def _entries(model: LocalModel, prompt: Prompt, tokens: TokenFilter) -> list[int]:
    """Vocabulary entries that are whole words and come back as one token where the slot is."""
    spaced = model.family != "seq2seq" and model.encode_sides(prompt).left.text[-1:].isspace()
    chosen = [int(i) for i in np.flatnonzero(tokens.allowed(whole_words=True))]
    texts = [tokens.texts[i].strip() for i in chosen]
    encoded = model.encoding.encode_batch([f" {text}" if spaced else text for text in texts])
    whole = [
        (i, text)
        for i, text, ids in zip(chosen, texts, encoded, strict=True)
        if ids == (i,) and len(text) > 1
    ]
    lower = [i for i, text in whole if text.islower()]
    entries = lower or [i for i, _ in whole]
    if not entries:
        raise InputError(
            f"{model.name} has no words that are one token at the slot; write the answers yourself"
        )
    return entries


def _is_one_token(model: LocalModel, prompt: Prompt, token: int) -> bool:
    """Whether the word's answer begins with its token (what follows is the template's text)."""
    word = model.encoding.token(token).strip()
    (asked,) = model.scoring_requests([prompt], [word])
    firsts = [continuation[0] for one in asked for continuation in one.continuations]
    return firsts == [token]
