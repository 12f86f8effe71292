"""What a model would put into a slot: its likeliest words, and the rank of one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from promptlab.errors import CapabilityError
from promptlab.models.base import Fill, LanguageModel
from promptlab.models.local import LocalModel
from promptlab.models.token_texts import can_stand, ranked_fills, token_rank
from promptlab.prompts.prompt import Prompt


def fill_words(model: LanguageModel, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
    """The most probable tokens that can stand at every prompt's slot, best first.

    Pieces that would be glued to a word are left out where a blank stands before the slot. The
    probabilities are among all tokens of the vocabulary, those that are left out as well.

    Args:
        model: A model that can *fill*.
        prompts: Where to fill.
        top: So many tokens of each.

    Returns:
        A list for every prompt.
    """
    if not isinstance(model, LocalModel):
        return model.fill(prompts, top)
    return [
        list(
            islice(
                (
                    fill
                    for fill in ranked_fills(model.token_texts, prompt, row)
                    if can_stand(prompt, fill)
                ),
                top,
            )
        )
        for prompt, row in zip(prompts, model.vocabulary_logprobs(prompts), strict=True)
    ]


@dataclass(frozen=True)
class AnswerRank:
    """An answer's ``probability`` in the slot, its ``rank`` there (1 is best) and its ``tokens``.

    The rank is among the tokens of the vocabulary that can stand there (`fill_words`), so an
    answer of several tokens has none.
    """

    answer: str
    probability: float
    rank: int | None
    tokens: int


def rank_answer(model: LanguageModel, prompts: Sequence[Prompt], answer: str) -> list[AnswerRank]:
    """For every prompt how ``answer`` stands at its slot, exactly.

    What follows the slot counts for models that read both sides; a causal model's is left out,
    as in `fill_words`. Raises `InputError` for an answer that the model cannot write.
    """
    model.require("fill")
    if not isinstance(model, LocalModel):
        raise CapabilityError(f"{model.name} does not show its vocabulary; use a local model")
    if model.family == "causal":
        prompts = [prompt.continued_with("") for prompt in prompts]
    asked = model.answer_requests(prompts, (answer,))
    return [
        _standing(model, prompt, answer, items[0].continuations[0], row)
        for prompt, items, row in zip(
            prompts, asked, model.vocabulary_logprobs(prompts), strict=True
        )
    ]


def _standing(
    model: LocalModel, prompt: Prompt, answer: str, tokens: tuple[int, ...], row: np.ndarray
) -> AnswerRank:
    """``row`` are the vocabulary's log-probabilities in nats; several tokens are scored whole."""
    if len(tokens) == 1:
        rank = token_rank(model.token_texts, prompt, row, tokens[0])
        return AnswerRank(answer, float(np.exp(row[tokens[0]])), rank, 1)
    found = model.score([prompt], [answer]).logprobs[0, 0]
    return AnswerRank(answer, float(np.exp(found)), None, len(tokens))
