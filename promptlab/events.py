"""What happens while a study or a learner works, as typed values for whoever listens.

The terminal's progress, the web app, the log file and the tests are listeners; nothing prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import Any

from promptlab.security.untrusted_text import sanitize

__all__ = [
    "BlockScored",
    "Cost",
    "EndpointBusy",
    "Event",
    "Events",
    "Phase",
    "Step",
    "Stopped",
    "StudyFinished",
    "StudyStarted",
    "TrialAsked",
    "TrialFinished",
    "Warned",
    "current_events",
]


@dataclass(frozen=True)
class Event:
    """Base of all events: frozen values that listeners tell apart by their class.

    Example:
        >>> isinstance(pl.events.Phase("decide"), pl.events.Event)
        True
    """

    def record(self) -> dict[str, Any]:
        """The event as JSON data, its type under ``event``."""
        return {"event": type(self).__name__} | asdict(self)


@dataclass(frozen=True)
class _MessageEvent(Event):
    """An event that repeats what endpoints and libraries say: it may be shown and logged."""

    def __post_init__(self) -> None:
        for name in ("message", "reason"):
            if isinstance(text := getattr(self, name, None), str):
                object.__setattr__(self, name, sanitize(text))


@dataclass(frozen=True)
class StudyStarted(Event):
    """A study begins or goes on: ``finished`` of ``planned`` trials are done already.

    Args:
        study: Its name.
        folder: Where it is written.
        planned: Trials in all.
        finished: Trials that are done.
        examples: Examples of dev that a trial answers.
        maximise: Whether larger values of the objective are better.
        objective: What decides.

    Example:
        >>> pl.events.StudyStarted("reviews", "runs/reviews", 20, 0, 200).planned
        20
    """

    study: str
    folder: str
    planned: int
    finished: int
    examples: int
    maximise: bool = True
    objective: str = ""


@dataclass(frozen=True)
class TrialAsked(Event):
    """The sampler proposed a candidate.

    Args:
        number: The trial's number.
        kind: Its kind of candidate, such as *template*.
        name: The candidate, in words.

    Example:
        >>> pl.events.TrialAsked(3, "template", "it-was").kind
        'template'
    """

    number: int
    kind: str
    name: str


@dataclass(frozen=True)
class Step(Event):
    """A learner took a step.

    Args:
        number: The trial's number.
        step: The step, from 1.
        values: Numbers, among them ``loss`` (nats) and ``dev`` (the dev score, where larger is
            better) when they are known.
        notes: Texts, such as the tokens found so far.

    Example:
        >>> pl.events.Step(3, 10, {"loss": 0.4}).values["loss"]
        0.4
    """

    number: int
    step: int
    values: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockScored(Event):
    """A block of dev examples was predicted.

    Args:
        number: The trial's number.
        done: Examples predicted so far.
        examples: Examples in all.
        value: The objective over all so far.

    Example:
        >>> pl.events.BlockScored(3, 50, 200, 0.84).done
        50
    """

    number: int
    done: int
    examples: int
    value: float


@dataclass(frozen=True)
class TrialFinished(_MessageEvent):
    """A trial is over.

    Args:
        number: Its number.
        name: Its candidate, in words.
        state: *complete*, *pruned* or *failed*.
        value: The objective, if it is complete.
        seconds: How long it took.
        reason: Why it was pruned or failed.
        repeated: The number of the trial whose predictions it has, if it equals one.

    Example:
        >>> pl.events.TrialFinished(3, "it-was", "complete", 0.84, 1.5).state
        'complete'
    """

    number: int
    name: str
    state: str
    value: float | None
    seconds: float
    reason: str | None = None
    repeated: int | None = None


@dataclass(frozen=True)
class Cost(Event):
    """What an endpoint has cost so far, in all runs of the study.

    Args:
        requests: Replies that were paid for.
        retries: Requests that were sent again.
        failed: Requests that were given up.
        cached: Replies that were kept from before.
        estimated: Replies that came without token counts.
        tokens_in: Tokens of prompts.
        tokens_out: Tokens of replies.
        dollars: What they cost; ``None`` without a price.
        unheard: Requests that were sent, and the work was stopped or killed before the reply.

    Example:
        >>> pl.events.Cost(10, 0, 0, 2, 0, 900, 40, None).tokens_in
        900
    """

    requests: int
    retries: int
    failed: int
    cached: int
    estimated: int
    tokens_in: int
    tokens_out: int
    dollars: float | None
    unheard: int = 0


@dataclass(frozen=True)
class Phase(Event):
    """A named part of the work begins, such as *test* or *report*.

    Args:
        name: The part.

    Example:
        >>> pl.events.Phase("test").record()
        {'event': 'Phase', 'name': 'test'}
    """

    name: str


@dataclass(frozen=True)
class Warned(_MessageEvent):
    """Something the user should know that stops nothing.

    Args:
        message: What it is, in one sentence.

    Example:
        >>> pl.events.Warned("2 rows have no label").message
        '2 rows have no label'
    """

    message: str


@dataclass(frozen=True)
class EndpointBusy(_MessageEvent):
    """An endpoint asks to wait, and nobody asks it anything meanwhile.

    Args:
        message: What it said.
        seconds: How long it is left alone.

    Example:
        >>> pl.events.EndpointBusy("too many requests", 2.0).seconds
        2.0
    """

    message: str
    seconds: float


@dataclass(frozen=True)
class Stopped(_MessageEvent):
    """The study ends before it is decided.

    Args:
        reason: Why.
        cancelled: Whether somebody asked for it; else the study cannot go on.

    Example:
        >>> pl.events.Stopped("stopped as asked", True).cancelled
        True
    """

    reason: str
    cancelled: bool


@dataclass(frozen=True)
class StudyFinished(Event):
    """The study is decided and its folder is written.

    Args:
        study: Its name.
        folder: Where it is written.
        best: The number of the winning trial, if there is one.

    Example:
        >>> pl.events.StudyFinished("reviews", "runs/reviews", 12).best
        12
    """

    study: str
    folder: str
    best: int | None


Listener = Callable[[Event], None]


class Events:
    """Hands every event to every listener, in the order in which they subscribed.

    Args:
        listeners: Functions that take an `Event`.

    Example:
        >>> heard = []
        >>> events = pl.events.Events(heard.append)
        >>> events.emit(pl.events.Phase("decide"))
        >>> heard[0].record()
        {'event': 'Phase', ...}
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def subscribe(self, listener: Listener) -> None:
        """Hand all later events to ``listener``, too."""
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Tell everyone."""
        for listener in self._listeners:
            listener(event)

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While inside, what models tell of requests by this thread is emitted here, too."""
        before = _in_force.set(self)
        try:
            yield
        finally:
            _in_force.reset(before)


_in_force: ContextVar[Events | None] = ContextVar("events_in_force", default=None)


def current_events() -> Events | None:
    """The `Events` that are in force in this thread.

    Returns:
        Those of the innermost `Events.in_force`, or ``None``.

    Example:
        >>> events = pl.events.Events()
        >>> with events.in_force():
        ...     pl.events.current_events() is events
        True
    """
    return _in_force.get()
