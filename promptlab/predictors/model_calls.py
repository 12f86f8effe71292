"""What a strategy asks of models while it solves an example.

A strategy is written for one example as a generator: it yields what it asks and gets the reply
sent back, so many examples are solved side by side and their asks go to the model in batches
(`promptlab.predictors.scheduler`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from promptlab.errors import AskError
from promptlab.evaluation.reply_counts import CUT
from promptlab.evaluation.trace import TraceCursor
from promptlab.models.base import LanguageModel
from promptlab.prompts.decoding import Decoding, Generation
from promptlab.prompts.prompt import Prompt


@dataclass(frozen=True, eq=False)
class GenerateCall:
    """Continue ``prompt``; answered by a `Generation`. ``sample`` numbers texts of equal prompts.

    A request that fails raises `AskError` in the strategy that asks.
    """

    model: LanguageModel
    prompt: Prompt
    decoding: Decoding
    sample: int = 0


@dataclass(frozen=True)
class ScoreResult:
    """Log-likelihoods in nats of the answers of one prompt, and what they cost."""

    logprobs: tuple[float, ...]
    answer_tokens: tuple[int, ...]
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, eq=False)
class ScoreCall:
    """Score ``answers`` in the slot of ``prompt``; answered by a `ScoreResult`."""

    model: LanguageModel
    prompt: Prompt
    answers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gather:
    """Solve several things side by side; answered by the list of their results in order.

    The first `AskError` among them is raised; with ``return_errors`` all stand in the list.
    """

    parts: Sequence[StrategyRun[Any]]
    return_errors: bool = False


ModelCall = GenerateCall | ScoreCall | Gather
T = TypeVar("T")
StrategyRun = Generator[ModelCall, Any, T]
"""A strategy at work: yields asks, is sent their answers, returns a ``T``."""


@dataclass(frozen=True)
class StrategyResult:
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


def traced_generate(
    branch: TraceCursor, name: str, ask: GenerateCall, **notes: Any
) -> StrategyRun[tuple[Generation, TraceCursor]]:
    """Ask for text and write the step down: the reply, and the place in the trace after it.

    The trace keeps the whole reply. What is read of it is its ``answer``, without hidden reasoning.
    What has cost tokens is written down, too, when it is no answer.
    """
    try:
        reply: Generation = yield ask
    except AskError as error:
        if error.reply is not None and _has_cost(ask.model, error.reply):
            _trace_reply(branch, name, ask, error.reply, error=str(error), **notes)
        raise
    return reply, _trace_reply(branch, name, ask, reply, **notes)


def _has_cost(model: LanguageModel, reply: Generation) -> bool:
    """Whether anything was read or written: a prompt that a local model refuses was not."""
    paid = reply.tokens_in and model.usage_cost() is not None
    return reply.is_answered or bool(reply.tokens_out or paid)


def _trace_reply(
    branch: TraceCursor, name: str, ask: GenerateCall, reply: Generation, **notes: Any
) -> TraceCursor:
    """The place in the trace after a step that has written something."""
    beside = {"reasoning": reply.reasoning, "refusal": reply.refusal}
    if reply.unreadable_reason:
        notes = {**notes, "unread": reply.unreadable_reason}
    if reply.finish == "length" and ask.model.usage_cost() is not None:
        notes = {**notes, CUT: True}  # hosted models end by themselves: this one was not let
    return branch.step(
        name,
        prompt=ask.model.display(ask.prompt),
        reply=reply.text,
        tokens_in=reply.tokens_in,
        tokens_out=reply.tokens_out,
        seconds=reply.seconds,
        **{name: words for name, words in beside.items() if words},
        **notes,
    )


def traced_score(
    branch: TraceCursor, name: str, ask: ScoreCall, **notes: Any
) -> StrategyRun[tuple[ScoreResult, TraceCursor]]:
    """Ask for scores and write the step down: the scores, and the place in the trace after it."""
    found: ScoreResult = yield ask
    after = branch.step(
        name,
        prompt=ask.model.display(ask.prompt),
        tokens_in=found.prompt_tokens,
        tokens_out=sum(found.answer_tokens),
        seconds=found.seconds,
        **notes,
    )
    return found, after
