"""What a strategy asks of models while it solves an example.

A strategy is written for one example as a generator: it yields what it asks and gets the reply
sent back, so many examples are solved side by side and their asks go to the model in batches
(`promptlab.driver`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptlab.decoding import Decoding, Generation
from promptlab.models.language_model import LanguageModel
from promptlab.prompt import Prompt
from promptlab.trace import Branch


@dataclass(frozen=True, eq=False)
class Generate:
    """Continue ``prompt``; answered by a `Generation`. ``sample`` numbers texts of equal prompts.

    A request that fails raises `AskError` in the strategy that asks.
    """

    model: LanguageModel
    prompt: Prompt
    decoding: Decoding
    sample: int = 0


@dataclass(frozen=True)
class Scored:
    """Log-likelihoods in nats of the answers of one prompt, and what they cost."""

    logprobs: tuple[float, ...]
    answer_tokens: tuple[int, ...]
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Score:
    """Score ``answers`` in the slot of ``prompt``; answered by a `Scored`."""

    model: LanguageModel
    prompt: Prompt
    answers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Together:
    """Solve several things side by side; answered by the list of their results in order.

    The first `AskError` among them is raised, unless ``tolerant``: then it stands in its place.
    """

    parts: Sequence[Solving[Any]]
    tolerant: bool = False


Ask = Generate | Score | Together
T = TypeVar("T")
Solving = Generator[Ask, Any, T]
"""A strategy at work: yields asks, is sent their answers, returns a ``T``."""


@dataclass(frozen=True)
class Outcome:
    """What solving an example came to.

    ``label`` is ``None`` when the last reply could not be parsed. ``text`` is that reply,
    ``scores`` are normalised log-probabilities of labels in nats if there are any, ``logprob``
    the log-probability of all that was generated for it and ``tokens`` the number of its tokens,
    ``reasoning`` the text before the answer. ``facts`` are kept in the prediction's trace.
    """

    label: str | None
    text: str | None = None
    scores: Mapping[str, float] | None = None
    logprob: float | None = None
    tokens: int = 0
    reasoning: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def generated(
    branch: Branch, name: str, ask: Generate, **notes: Any
) -> Solving[tuple[Generation, Branch]]:
    """Ask for text and write the step down: the reply, and the place in the trace after it.

    The trace keeps the whole reply. What is read of it is its ``answer``, without hidden reasoning.
    """
    reply: Generation = yield ask
    if reply.unread:
        notes["unread"] = reply.unread
    after = branch.step(
        name,
        prompt=ask.model.shown(ask.prompt),
        reply=reply.text,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=reply.seconds,
        **notes,
    )
    return reply, after


def scored(branch: Branch, name: str, ask: Score, **notes: Any) -> Solving[tuple[Scored, Branch]]:
    """Ask for scores and write the step down: the scores, and the place in the trace after it."""
    found: Scored = yield ask
    after = branch.step(
        name,
        prompt=ask.model.shown(ask.prompt),
        tokens_in=found.prompt_tokens,
        tokens_out=sum(found.answer_tokens),
        seconds=found.seconds,
        **notes,
    )
    return found, after
