"""Which answers a model can write in a slot, and which of them are one token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promptlab.errors import VerbalizerError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.prompts.prompt import Prompt

_AT_ONCE = 256

AnswerTokens = tuple[int, ...] | None
"""The token ids of an answer in a slot; ``None`` for one that the vocabulary cannot write."""


def answer_tokens(model: LocalModel, prompt: Prompt, answers: Sequence[str]) -> list[AnswerTokens]:
    """The token ids of every answer in the prompt's slot, what follows the slot left out."""
    asked = prompt.continued_with("")
    found: list[AnswerTokens] = []
    for start in range(0, len(answers), _AT_ONCE):
        part = answers[start : start + _AT_ONCE]
        try:
            found.extend(_encode(model, asked, part))
        except VerbalizerError:  # of one of them
            for answer in part:
                try:
                    found.extend(_encode(model, asked, [answer]))
                except VerbalizerError:
                    found.append(None)
    return found


def _encode(model: LocalModel, prompt: Prompt, answers: Sequence[str]) -> list[AnswerTokens]:
    tokens: dict[int, tuple[int, ...]] = {}
    (requests,) = model.scoring_requests([prompt], answers)
    for request in requests:
        tokens.update(zip(request.answers, request.continuations, strict=True))
    return [tokens[place] for place in range(len(answers))]


def one_token_answers(
    model: LocalModel, prompts: Iterable[Prompt], answers: Sequence[str]
) -> set[str]:
    """Those of the answers that are one token in every prompt's slot."""
    kept = list(answers)
    for prompt in prompts:
        tokens = answer_tokens(model, prompt, kept)
        kept = [a for a, ids in zip(kept, tokens, strict=True) if ids is not None and len(ids) == 1]
    return set(kept)


def distinct_answers(
    model: LanguageModel, prompts: Sequence[Prompt], answers: Sequence[str]
) -> dict[str, str | None]:
    """For every answer the one that stands for it; ``None`` if the model cannot write it.

    Answers that are the same tokens in a slot (*Congo* and *congo* in an uncased vocabulary) are
    one answer, the first of them. A model without tokens of its own tells all apart.
    """
    meaning: dict[str, str | None] = {answer: answer for answer in answers}
    if not isinstance(model, LocalModel):
        return meaning
    for prompt in prompts:
        first: dict[tuple[int, ...], str] = {}
        left = [answer for answer in answers if meaning[answer] == answer]
        for answer, ids in zip(left, answer_tokens(model, prompt, left), strict=True):
            meaning[answer] = None if ids is None else first.setdefault(ids, answer)
    return {answer: _follow(meaning, answer) for answer in answers}


def _follow(meaning: dict[str, str | None], answer: str) -> str | None:
    """What an answer stands for in the end: an answer that stands for it may stand for another."""
    while (now := meaning[answer]) is not None and now != answer:
        answer = now
    return now


def spacing_samples(prompts: Iterable[Prompt]) -> list[Prompt]:
    """One prompt for every character that stands before a slot: it decides how answers are cut."""
    found: dict[str, Prompt] = {}
    for prompt in prompts:
        found.setdefault(prompt.left[-1:], prompt)
    return list(found.values())
