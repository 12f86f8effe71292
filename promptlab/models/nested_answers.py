"""Answers that begin with one another: which they are, and how likely the shorter one is alone.

Whatever says "yes please" says "yes" first, so that the likelihood of the tokens of "yes" can
never be below that of "yes please". Of such answers the shorter one stands for its tokens *not*
followed by those of a longer answer, P(yes) - P(yes please): the longest answer that a text begins
with is what it says, as a reader of replies has it, too.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_LEAST = 1e-6
"""So much of its likelihood is left to an answer at least: rounding may leave less than none."""

Continuations = tuple[tuple[int, ...], ...]


@lru_cache(maxsize=4096)
def longer_answers(continuations: Continuations) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Find the answers whose tokens begin those of others.

    Args:
        continuations: The token ids of answers after one context.

    Returns:
        ``(answer, longer)`` by position: ``longer`` are the nearest answers that begin with it.

    Example:
        >>> longer_answers(((1,), (1, 2), (1, 2, 3), (4,)))
        ((0, (1,)), (1, (2,)))
    """
    places = {ids: place for place, ids in enumerate(continuations)}
    found: dict[int, list[int]] = {}
    for ids, place in places.items():
        starts = (places.get(ids[:length]) for length in range(len(ids) - 1, 0, -1))
        nearest = next((start for start in starts if start is not None), None)
        if nearest is not None:
            found.setdefault(nearest, []).append(place)
    return tuple((place, tuple(longer)) for place, longer in sorted(found.items()))


def exclusive_logprobs(
    logprobs: Float[np.ndarray, " answer"], continuations: Continuations
) -> Float[np.ndarray, " answer"]:
    """Log-likelihoods in nats of saying each answer and none of the longer ones.

    Args:
        logprobs: Log-likelihoods of the answers' tokens.
        continuations: These tokens.

    Returns:
        The same where no answer begins another one.
    """
    nested = longer_answers(continuations)
    if not nested:
        return logprobs
    found = logprobs.copy()
    for place, longer in nested:
        rest = np.logaddexp.reduce(logprobs[list(longer)]) - logprobs[place]
        found[place] += np.log(-np.expm1(min(rest, -_LEAST)))
    return found


def exclusive_logprobs_with_graph(
    logprobs: Float[Tensor, " answer"], continuations: Continuations
) -> Float[Tensor, " answer"]:
    """`exclusive_logprobs` in torch, for what is learned through it."""
    nested = longer_answers(continuations)
    if not nested:
        return logprobs
    found = list(logprobs.unbind())
    for place, longer in nested:
        rest = logprobs[list(longer)].logsumexp(0) - logprobs[place]
        found[place] = found[place] + torch.log(-torch.expm1(rest.clamp(max=-_LEAST)))
    return torch.stack(found)


@lru_cache(maxsize=1024)
def may_be_nested(answers: tuple[str, ...]) -> bool:
    """Whether one of the answers may begin another one as tokens: it does as text."""
    texts = sorted({" ".join(normalize("NFKC", answer).casefold().split()) for answer in answers})
    return any(longer.startswith(short) for short, longer in pairwise(texts))
