"""Many requests at once: repeated while that may help, and kept as soon as they are answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from promptlab.cancellation import Cancelled, current
from promptlab.models.remote.calls import Calls
from promptlab.models.remote.dialect import Dialect
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.patience import Backoff, RateLimit, Wait
from promptlab.models.remote.reply import Reply
from promptlab.models.remote.request import Request, text_tokens
from promptlab.models.remote.spending import Spending
from promptlab.models.remote.store import ReplyStore
from promptlab.models.remote.transport import PassingError, RefusedError, Transport

T = TypeVar("T")
Heard = Callable[[Request, str], None]
"""Told a request and its reply so far."""
_GLANCE = 0.2
"""Seconds between two looks whether the work was cancelled."""


@dataclass(frozen=True)
class Answer:
    """A reply with its token counts (``estimated`` if the endpoint told none) and seconds."""

    text: str
    reason: str
    tokens_in: int
    tokens_out: int
    seconds: float
    estimated: bool = False
    thought: bool = False

    @classmethod
    def of(cls, reply: Reply, request: Request, seconds: float) -> Answer:
        """What came for a request."""
        known = reply.tokens_in is not None and reply.tokens_out is not None
        return cls(
            reply.text,
            reply.reason,
            request.tokens if reply.tokens_in is None else reply.tokens_in,
            text_tokens(reply.text) if reply.tokens_out is None else reply.tokens_out,
            seconds,
            not known,
            reply.thought,
        )

    def record(self) -> dict[str, Any]:
        """Plain JSON data, which the constructor takes again."""
        return asdict(self)


@dataclass(frozen=True)
class Failure:
    """Why a request has no reply, and how long it was tried."""

    message: str
    seconds: float


class Fetcher:
    """Sends requests side by side, at most ``concurrency`` at a time.

    A failure that may pass is tried again after a while. When the endpoint has not answered at
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
        pause: Wait | None = None,
    ) -> None:
        self._transport = transport
        self._options = options
        self._store = store
        self._spending = spending
        self._backoff = backoff
        self._rate = rate
        self._pause = pause
        self._dialect = Dialect()
        self._silent = 0
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def fetch(
        self, requests: Sequence[Request], heard: Heard | None = None
    ) -> dict[bytes, Answer | Failure]:
        """What came of every request, by its key; ``heard`` is told of replies as they grow.

        An error that concerns all of them (`EndpointError`, `DiskError`) is raised at once; what
        is under way then is still waited for and kept. When the work is cancelled
        (`Cancellation.in_force`) or interrupted, it is broken off.
        """
        stop, calls = threading.Event(), Calls()
        pool = self._pool()
        futures = {pool.submit(self._guarded, r, stop, calls, heard): r.key for r in requests}
        try:
            return {futures[future]: future.result() for future in _as_completed(futures)}
        except (Cancelled, KeyboardInterrupt):
            stop.set()
            calls.break_off()
            raise
        finally:
            stop.set()
            for future in futures:
                future.cancel()
            wait(futures)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._options.concurrency, "remote")
            return self._threads

    def _guarded(
        self, request: Request, stop: threading.Event, calls: Calls, heard: Heard | None
    ) -> Answer | Failure:
        """One request; an error that concerns them all stops the others here and now."""
        try:
            return self._one(request, stop, calls, heard)
        except BaseException:
            stop.set()
            raise

    def _one(
        self, request: Request, stop: threading.Event, calls: Calls, heard: Heard | None
    ) -> Answer | Failure:
        """One request until it is answered, refused, or tried too often."""
        started = time.perf_counter()
        pause = stop.wait if self._pause is None else self._pause
        body = self._body(request, stream=heard is not None)
        grown = None if heard is None else partial(heard, request)
        reserved = request.tokens + int(request.body.get("max_tokens", 0))
        tried = 0
        message = "not asked: another request has stopped them all"
        while not stop.is_set():
            admission = self._rate.admit(reserved, pause, stop.is_set)
            tried += 1
            sent = self._dialect.spoken(body)
            begun = time.perf_counter()
            try:
                reply = self._transport.send(request.path, sent, grown, calls)
            except CancelledError:
                self._rate.settle(admission, request.tokens)
                return Failure("broken off", time.perf_counter() - started)
            except PassingError as error:
                self._rate.settle(admission, request.tokens)
                message = f"{error} ({_times(tried)})"
                if not self._again(error, tried):
                    break
                pause(self._backoff.seconds(tried, error.wait))
            except RefusedError as error:
                self._rate.settle(admission, 0)
                self._heard()
                if self._dialect.learns(str(error), sent):
                    tried -= 1
                    continue
                message = f"{error} ({_times(tried)})"
                break
            else:
                answer = Answer.of(reply, request, time.perf_counter() - begun)
                self._rate.settle(admission, answer.tokens_in + answer.tokens_out)
                return self._taken(request, answer)
        if tried:
            self._spending.add(failed=1)
        return Failure(message, time.perf_counter() - started)

    def _body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        if not (self._options.stream or stream):
            return request.body
        return {**request.body, "stream": True, "stream_options": {"include_usage": True}}

    def _again(self, error: PassingError, tried: int) -> bool:
        """Whether another try may help; the others hear of it if they are to wait, too."""
        with self._lock:
            self._silent = self._silent + 1 if error.silent else 0
            gone = self._silent > self._options.concurrency * (self._options.retries + 1)
        if gone or tried > self._options.retries or (error.wait or 0.0) > self._backoff.longest:
            return False
        if error.wait is not None:
            self._rate.hold(error.wait)
        self._spending.add(retries=1)
        return True

    def _heard(self) -> None:
        with self._lock:
            self._silent = 0

    def _taken(self, request: Request, answer: Answer) -> Answer:
        """Keep and count an answer; one without text is not kept, it may be another next time."""
        self._heard()
        if self._store is not None and answer.text.strip():
            self._store.keep(request.key, answer.record())
        self._spending.add(
            requests=1,
            estimated=int(answer.estimated),
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
        )
        return answer


def _as_completed(futures: Collection[Future[T]]) -> Iterator[Future[T]]:
    """Each as it ends. Raises `Cancelled` soon after that was asked for."""
    cancellation = current()
    left = set(futures)
    while left:
        if cancellation is not None:
            cancellation.stop_here()
        done, left = wait(left, None if cancellation is None else _GLANCE, FIRST_COMPLETED)
        yield from done


def _times(tried: int) -> str:
    return "tried once" if tried == 1 else f"tried {tried} times"
