"""Many requests at once: repeated while that may help, and kept as soon as they are answered."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from promptlab import events
from promptlab.cancellation import Cancelled
from promptlab.cancellation import current as current_cancellation
from promptlab.events import EndpointBusy, Warned
from promptlab.models.remote.answer import Answer, Failure, Paid
from promptlab.models.remote.calls import Calls
from promptlab.models.remote.dialect import Dialect
from promptlab.models.remote.gate import Gate
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.patience import Backoff, RateLimit, Wait
from promptlab.models.remote.reply import Reply, WithheldError
from promptlab.models.remote.request import Request
from promptlab.models.remote.spending import Spending
from promptlab.models.remote.store import ReplyStore
from promptlab.models.remote.transport import Transport
from promptlab.models.remote.usage import Usage
from promptlab.models.remote.verdict import PassingError, RefusedError

Heard = Callable[[Request, str], None]
"""Told a request and its reply so far."""
_GLANCE = 0.2
"""Seconds between two looks whether the work was cancelled."""
_MOST_MENDS = 8
"""Times that one request is said otherwise."""
_log = logging.getLogger("promptlab")


@dataclass(eq=False)
class _Batch:
    """Requests that are fetched together; ``given_up`` says why the rest is not asked."""

    heard: Heard | None
    stop: threading.Event = field(default_factory=threading.Event)
    calls: Calls = field(default_factory=Calls)
    given_up: str | None = None


@dataclass(eq=False)
class _Try:
    """How far one request has come."""

    request: Request
    body: Mapping[str, Any]
    spoken: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    sent: int = 0
    failed: int = 0
    asked: int = 0
    mended: int = 0
    waited: float = 0.0
    paid: Paid = field(default_factory=Paid)

    def failure(self, message: str) -> Failure:
        """The end of it."""
        return Failure(message, time.perf_counter() - self.started, self.paid)

    @property
    def times(self) -> str:
        """How often it was sent, in words."""
        return "tried once" if self.sent == 1 else f"tried {self.sent} times"


class Fetcher:
    """Sends requests side by side, at most ``concurrency`` at a time.

    A failure that may pass is tried again after a while. While the endpoint asks to wait nobody
    asks it (`Gate`); a request waits so for ``patience`` seconds in all, and when many in a row
    have done so in vain the others are not asked either. When the endpoint has not answered at
    all for as many requests in a row as may be under way, others are tried only once, until one
    is answered: an endpoint that is gone costs no waiting for every single request.
    """

    def __init__(
        self,
        transport: Transport,
        options: RemoteOptions,
        *,
        store: ReplyStore | None,
        spending: Spending,
        backoff: Backoff,
        rate: RateLimit,
        gate: Gate,
        dialect: Dialect,
        pause: Wait | None = None,
    ) -> None:
        self._transport = transport
        self._options = options
        self._store = store
        self._spending = spending
        self._backoff = backoff
        self._rate = rate
        self._gate = gate
        self._dialect = dialect
        self._pause = pause
        self._silent = 0
        self._unheeded = 0
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._news: queue.SimpleQueue[EndpointBusy | Warned] = queue.SimpleQueue()

    def fetch(
        self, requests: Sequence[Request], heard: Heard | None = None
    ) -> dict[bytes, Answer | Failure]:
        """What came of every request, by its key; ``heard`` is told of replies as they grow.

        An error that concerns all of them (`EndpointError`, `DiskError`) is raised at once; what
        is under way then is still waited for and kept. When the work is cancelled
        (`Cancellation.in_force`) or interrupted, it is broken off. What the user should know
        meanwhile is told to the `Events` in force, else to the log ``promptlab``.
        """
        batch = _Batch(heard)
        pool = self._pool()
        futures = {pool.submit(self._guarded, r, batch): r.key for r in requests}
        try:
            return {futures[future]: future.result() for future in self._as_completed(futures)}
        except (Cancelled, KeyboardInterrupt):
            batch.stop.set()
            batch.calls.break_off()
            raise
        finally:
            batch.stop.set()
            for future in futures:
                future.cancel()
            wait(futures)
            self._tell_news()

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._options.concurrency, "remote")
            return self._threads

    def _as_completed(
        self, futures: Collection[Future[Answer | Failure]]
    ) -> Iterator[Future[Answer | Failure]]:
        """Each as it ends. Raises `Cancelled` soon after that was asked for."""
        cancellation = current_cancellation()
        left = set(futures)
        while left:
            if cancellation is not None:
                cancellation.stop_here()
            done, left = wait(left, _GLANCE, FIRST_COMPLETED)
            self._tell_news()
            yield from done

    def _tell_news(self) -> None:
        """Tell what happened, in the thread that asked: listeners need know no other."""
        listening = events.current()
        while not self._news.empty():
            event = self._news.get()
            if listening is not None:
                listening.emit(event)
            else:
                _log.warning("%s", event.message)

    def _guarded(self, request: Request, batch: _Batch) -> Answer | Failure:
        """One request; an error that concerns them all stops the others here and now."""
        try:
            return self._one(request, batch)
        except BaseException:
            batch.stop.set()
            raise

    def _one(self, request: Request, batch: _Batch) -> Answer | Failure:
        """One request until it is answered, refused, or tried too often."""
        turn = _Try(request, self._body(request, stream=batch.heard is not None))
        while not batch.stop.is_set() and batch.given_up is None:
            try:
                answer = self._sent(turn, batch)
            except CancelledError:
                return turn.failure("broken off")
            except PassingError as error:
                self._pay(turn, error.usage)
                if not self._again(error, turn, batch):
                    return self._failed(turn, f"{error} ({turn.times}){self._why(error, turn)}")
            except RefusedError as error:
                self._pay(turn, error.usage)
                self._heard()
                if not self._mended(error, turn):
                    return self._failed(turn, f"{error} ({turn.times})")
            except WithheldError as error:
                self._pay(turn, error.usage)
                self._heard()
                return self._failed(turn, f"{self._transport.address.url}: {error}")
            else:
                if answer is not None:
                    return answer
        message = batch.given_up or "not asked: another request has stopped them all"
        return self._failed(turn, message) if turn.sent else turn.failure(message)

    def _sent(self, turn: _Try, batch: _Batch) -> Answer | None:
        """What comes when it is sent once; ``None`` when it is stopped before."""
        pause = batch.stop.wait if self._pause is None else self._pause
        entered = self._gate.enter(pause, lambda: batch.stop.is_set() or bool(batch.given_up))
        if entered is None:
            return None
        request, heard = turn.request, False
        try:
            limit = request.body.get("max_tokens") or request.body.get("max_completion_tokens")
            reserved = request.tokens + int(limit or 0)
            admission = self._rate.admit(reserved, pause, batch.stop.is_set)
            if batch.stop.is_set():
                self._rate.settle(admission, 0)
                return None
            turn.sent += 1
            begun = time.perf_counter()
            try:
                reply = self._ask(turn, batch)
            except (PassingError, CancelledError):
                self._rate.settle(admission, request.tokens)
                raise
            except (RefusedError, WithheldError) as error:
                heard = True
                used = Paid.of(error.usage, request)
                self._rate.settle(admission, used.tokens_in + used.tokens_out)
                raise
            heard, seconds = True, time.perf_counter() - begun
            answer = Answer.of(reply, request, seconds, turn.paid)
            self._rate.settle(admission, answer.tokens_in + answer.tokens_out)
        except PassingError as error:
            if error.busy:
                self._close(error, turn, entered)
            raise
        finally:
            self._gate.leave(answered=heard)
        return self._taken(turn.request, answer)

    def _ask(self, turn: _Try, batch: _Batch) -> Reply:
        grown = None if batch.heard is None else partial(batch.heard, turn.request)
        turn.spoken = self._dialect.spoken(turn.body)
        return self._transport.send(turn.request.path, turn.spoken, grown, batch.calls)

    def _body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        if not (self._options.stream or stream):
            return request.body
        return {**request.body, "stream": True, "stream_options": {"include_usage": True}}

    def _close(self, error: PassingError, turn: _Try, entered: float) -> None:
        """Nobody asks for a while, if this request is to be asked again at all."""
        turn.asked += 1
        tried = turn.asked if error.wait is not None else turn.asked + 2
        seconds = self._backoff.seconds(tried, error.wait)
        turn.waited += max(1.0, seconds, error.wait or 0.0)
        if self._is_waited_for(error, turn):
            self._rate.hold(seconds)
            if self._gate.close(seconds, entered):
                url = self._transport.address.url
                self._news.put(
                    EndpointBusy(f"{url} asks to wait {_span(seconds)} ({error})", seconds)
                )

    def _is_waited_for(self, error: PassingError, turn: _Try) -> bool:
        if self._is_worn_out or turn.waited > self._options.patience:
            return False
        return error.wait is not None or turn.asked <= self._options.retries

    def _again(self, error: PassingError, turn: _Try, batch: _Batch) -> bool:
        """Whether another try may help; waits before it unless the gate does."""
        if error.busy:
            self._heard()
            again = self._is_waited_for(error, turn)
            if not again and turn.waited > self._options.patience:
                self._give_up(error, batch)
        else:
            turn.failed += 1
            with self._lock:
                self._silent = self._silent + 1 if error.silent else 0
                gone = self._silent > self._options.concurrency * (self._options.retries + 1)
            again = not gone and turn.failed <= self._options.retries
        if not again:
            return False
        self._spending.add(retries=1)
        if not error.busy:
            pause = batch.stop.wait if self._pause is None else self._pause
            pause(self._backoff.seconds(turn.failed, error.wait))
        return True

    def _give_up(self, error: PassingError, batch: _Batch) -> None:
        """If nobody at all is answered, the others need not wait as long."""
        with self._lock:
            self._unheeded += 1
        if self._is_worn_out:
            batch.given_up = f"not asked: {error}, and nobody was answered"

    @property
    def _is_worn_out(self) -> bool:
        """Whether so many requests in a row were not answered for all their patience."""
        with self._lock:
            return self._unheeded > 2 * self._options.concurrency

    def _why(self, error: PassingError, turn: _Try) -> str:
        """Why it is not tried again, where that is not plain."""
        if not error.busy or turn.waited <= self._options.patience:
            return ""
        return (
            f"; it asks to wait {_span(error.wait or turn.waited)}, and patience is "
            f"{_span(self._options.patience)} (patience: seconds in the model's section); the same "
            "command asks again later"
        )

    def _mended(self, error: RefusedError, turn: _Try) -> bool:
        """Whether the endpoint understands it if it is said otherwise."""
        name = self._transport.address.name
        if turn.mended >= _MOST_MENDS or not self._dialect.learns(
            error.complaint, turn.spoken, name
        ):
            return False
        turn.mended += 1
        turn.sent -= 1
        for remark in self._dialect.take_news():
            self._news.put(Warned(f"{name} {remark}"))
        return True

    def _heard(self) -> None:
        with self._lock:
            self._silent = 0

    def _pay(self, turn: _Try, usage: Usage) -> None:
        """Count what a reply has cost that is no answer."""
        paid = Paid.of(usage, turn.request)
        turn.paid += paid
        self._spending.add(
            tokens_in=paid.tokens_in,
            tokens_out=paid.tokens_out,
            estimated=int(paid.estimated),
        )

    def _failed(self, turn: _Try, message: str) -> Failure:
        self._spending.add(failed=1)
        return turn.failure(message)

    def _taken(self, request: Request, answer: Answer) -> Answer:
        """Keep and count an answer; one without words is not kept."""
        with self._lock:
            self._silent = 0
            self._unheeded = 0
        if self._store is not None and answer.is_kept:
            self._store.keep(request.key, answer.record())
        self._spending.add(
            requests=1,
            estimated=int(answer.estimated),
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
        )
        return answer


def _span(seconds: float) -> str:
    """``"20 s"``, ``"6 min"``, ``"7.5 h"``."""
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
