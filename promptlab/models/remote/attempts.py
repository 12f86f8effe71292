"""Requests under way: how often one was sent, how long it waited, and what it has cost so far."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptlab.models.remote.answer import FailedRequest, PaidTokens
from promptlab.models.remote.cost_ledger import CostLedger
from promptlab.models.remote.event_loop import CancellableCalls
from promptlab.models.remote.request import Request
from promptlab.security.untrusted_text import sanitize

OnReplyText = Callable[[Request, str], None]
"""Told a request and its reply so far."""


@dataclass(eq=False)
class RequestBatch:
    """Requests that are fetched together, paid by the work whose ``ledger`` it is.

    ``given_up`` says why the rest is not asked.
    """

    heard: OnReplyText | None
    ledger: CostLedger | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    calls: CancellableCalls = field(default_factory=CancellableCalls)
    given_up: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.stop.is_set() or self.given_up is not None


@dataclass(eq=False)
class RequestAttempts:
    """How far one request has come.

    It was ``sent`` so often, ``failed`` by faults, was ``refused`` as the endpoint asked to wait,
    and was ``mended`` as the endpoint did not understand it. ``asked`` are the seconds for which
    it was asked to wait, ``waited`` those for which it was. ``answers`` counts the endpoint's
    answers to others before it was first asked to wait.
    """

    request: Request
    body: Mapping[str, Any]
    spoken: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    sent: int = 0
    failed: int = 0
    refused: int = 0
    mended: int = 0
    asked: float = 0.0
    waited: float = 0.0
    answers: int | None = None
    paid: PaidTokens = field(default_factory=PaidTokens)

    @property
    def reserved(self) -> int:
        """Tokens that it can take at most, as far as is known."""
        body = self.request.body
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        return self.request.tokens + int(limit)

    @property
    def times(self) -> str:
        """How often it was sent, in words."""
        return "tried once" if self.sent == 1 else f"tried {self.sent} times"

    def failure(self, message: str, *, too_long: bool = False) -> FailedRequest:
        """The end of it; ``too_long`` says that the model cannot read such a prompt."""
        return FailedRequest(
            sanitize(message, lines=False), time.perf_counter() - self.started, self.paid, too_long
        )


def format_seconds(seconds: float) -> str:
    """``"0.35 s"``, ``"20 s"``, ``"6 min"``, ``"7.5 h"``."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
