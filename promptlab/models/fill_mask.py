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
    """The most probable whole words at every prompt's slot.

    Word pieces such as WordPiece's ``##ing`` are left out where a blank stands before the slot;
    the probabilities are nevertheless among all tokens of the vocabulary.

    Args:
        model: A model that can *fill*.
        prompts: Rendered templates with one slot each.
        top: Words a prompt.

    Returns:
        A list for every prompt, best first.

    Raises:
        CapabilityError: The model fills no slots.

    Example:
        >>> prompt = pl.Template("{text} It was {mask}.").render({"text": "A fine film."})
        >>> (words,) = pl.models.fill_words(model, [prompt], top=3)
        >>> len(words), words[0].probability >= words[1].probability
        (3, True)
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
    """How likely one answer is in a slot, and how many words are likelier.

    Args:
        answer: The answer.
        probability: Of all its tokens, one after the other.
        rank: Its place among the tokens that can stand there (`fill_words`), 1 for the best;
            ``None`` for an answer of several tokens.
        tokens: How many tokens it has.

    Example:
        >>> prompt = pl.Template("{text} It was {mask}.").render({"text": "A fine film."})
        >>> (good,) = pl.models.rank_answer(model, [prompt], "good")
        >>> good.answer, good.tokens, 0 < good.probability < 1
        ('good', 1, True)
    """

    answer: str
    probability: float
    rank: int | None
    tokens: int


def rank_answer(model: LanguageModel, prompts: Sequence[Prompt], answer: str) -> list[AnswerRank]:
    """The probability and the rank of one answer at every prompt's slot.

    What follows the slot counts for models that read both sides; a causal model's is left out,
    as in `fill_words`.

    Args:
        model: A local model.
        prompts: Rendered templates with one slot each.
        answer: A text for the slot.

    Returns:
        One `AnswerRank` a prompt.

    Raises:
        CapabilityError: The model does not show its vocabulary.
        VerbalizerError: The model cannot write the answer.

    Example:
        >>> prompt = pl.Template("{text} It was {mask}.").render({"text": "A fine film."})
        >>> (good,) = pl.models.rank_answer(model, [prompt], "good")
        >>> 0 < good.probability < 1, good.rank >= 1, good.tokens
        (True, True, 1)
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
