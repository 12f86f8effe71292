"""Answers that a model cannot tell apart, or that are not spelled as text."""

from __future__ import annotations

from collections.abc import Sequence

from promptlab.engine.scoring.request import AnswerRequest
from promptlab.errors import VerbalizerError
from promptlab.prompts.prompt import Prompt

_BLANKS = " \t"


def check_distinct(asked: Sequence[AnswerRequest], answers: Sequence[str], name: str) -> None:
    """Refuse answers that are the same tokens after one prompt.

    Args:
        asked: The questions of one prompt.
        answers: All answers.
        name: The model, for the message.

    Raises:
        VerbalizerError: Naming two answers that the model reads as one.
    """
    for item in asked:
        continuations = item.continuations
        if len(set(continuations)) == len(continuations):
            continue
        first: dict[tuple[int, ...], str] = {}
        for index, ids in zip(item.answers, continuations, strict=True):
            other = first.setdefault(ids, answers[index])
            if other != answers[index]:
                raise VerbalizerError(
                    f"the answers {other!r} and {answers[index]!r} are the same tokens in "
                    f"{name}'s vocabulary, so that it cannot tell them apart; change one of them, "
                    "or use a model that tells capital letters and accents apart"
                )


def check_answer_tokens(ids: Sequence[int], answer: str, unknown: int | None) -> None:
    """Refuse an answer of which the tokenizer makes no token, or its token for unknown words."""
    if not ids:
        raise VerbalizerError(
            f"the answer {answer!r} has no tokens in this model's vocabulary; use another word"
        )
    if unknown is not None and unknown in ids:
        raise VerbalizerError(
            f"the answer {answer!r} is outside of this model's vocabulary (its tokenizer reads it "
            "as an unknown word); use another word"
        )


def check_spelling(prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
    """Refuse answers with blanks that the template has already, and tokens for words.

    Args:
        prompts: Prompts in which the answers are to stand.
        answers: The answers.

    Raises:
        VerbalizerError: Naming the answer and how to write it.
    """
    for answer in answers:
        word = _word_of_token(answer)
        if word is not None:
            raise VerbalizerError(
                f"the answer {answer!r} is the spelling of a token in a vocabulary; write the text "
                f"that it stands for: {word!r}"
            )
        if answer != answer.rstrip(_BLANKS):
            raise VerbalizerError(
                f"the answer {answer!r} ends with a blank, which would be scored as a part of it; "
                f"write {answer.rstrip(_BLANKS)!r}, and the blank into the template"
            )
    led = [answer for answer in answers if answer[:1].isspace()]
    if led and any(prompt.left[-1:].isspace() for prompt in prompts):
        raise VerbalizerError(
            f"the answer {led[0]!r} begins with a blank, and the template has one before {{mask}}; "
            f"write {led[0].lstrip()!r}"
        )


def _word_of_token(answer: str) -> str | None:
    """The text of a vocabulary's entry such as ``Ġgood``, ``▁good``, ``##ing``, ``good</w>``.

    None for what is text. Ġ is a letter of Maltese, too: written as G with a combining dot it is
    taken for one.
    """
    for mark in ("\u0120", "\u2581", "##"):
        rest = answer.removeprefix(mark)
        if rest != answer and (rest[:1].isalnum() or mark == "\u2581"):
            return rest
    return answer.removesuffix("</w>") if answer.endswith("</w>") else None
