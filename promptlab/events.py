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
    """The sampler proposed a candidate."""

    number: int
    kind: str
    name: str


@dataclass(frozen=True)
class Step(Event):
    """A learner took a step.

    ``values`` are numbers, among them ``loss`` (nats) and ``dev`` (the dev score, where larger is
    better) when they are known; ``notes`` are texts, such as the tokens found so far.
    """

    number: int
    step: int
    values: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockScored(Event):
    """A block of dev examples was predicted; ``value`` is the objective over all so far."""

    number: int
    done: int
    examples: int
    value: float


@dataclass(frozen=True)
class TrialFinished(_MessageEvent):
    """A trial is ``complete``, ``pruned`` or ``failed``; ``repeated`` names the trial it equals."""

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

    ``requests`` are replies that were paid for, ``cached`` ones that were kept from before;
    ``estimated`` replies came without token counts; ``unheard`` requests were sent, and the work
    was stopped or killed before they were answered. ``dollars`` is ``None`` without a price.
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
    """Something the user should know that stops nothing."""

    message: str


@dataclass(frozen=True)
class EndpointBusy(_MessageEvent):
    """An endpoint asks to wait, and nobody asks it anything for so many ``seconds``."""

    message: str
    seconds: float


@dataclass(frozen=True)
class Stopped(_MessageEvent):
    """The study ends before it is decided: ``cancelled`` as somebody asked, or it cannot go on."""

    reason: str
    cancelled: bool


@dataclass(frozen=True)
class StudyFinished(Event):
    """The study is decided and its folder is written."""

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
    """The `Events` that are in force in this thread."""
    return _in_force.get()
