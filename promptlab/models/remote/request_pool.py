"""Many requests at once: repeated while that may help, and kept as soon as they are answered."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from promptlab import events
from promptlab.cancellation import current_cancellation as current_cancellation
from promptlab.errors import Cancelled, PromptlabError
from promptlab.events import EndpointBusy, Warned
from promptlab.models.remote.answer import CompletedRequest, FailedRequest, PaidTokens
from promptlab.models.remote.attempts import (
    OnReplyText,
    RequestAttempts,
    RequestBatch,
    format_seconds,
)
from promptlab.models.remote.circuit_breaker import CircuitBreaker
from promptlab.models.remote.compatibility import EndpointCompatibility
from promptlab.models.remote.cost import CostTracker
from promptlab.models.remote.cost_ledger import current as current_ledger
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.rate_limit import AdaptiveLimiter, RateLimiter, Wait
from promptlab.models.remote.reply import Reply, WithheldError
from promptlab.models.remote.request import Request
from promptlab.models.remote.response_cache import ResponseCache
from promptlab.models.remote.retry import PermanentError, RetryableError, RetryBackoff
from promptlab.models.remote.transport import Transport
from promptlab.models.remote.usage import TokenUsage

_GLANCE = 0.2
"""Seconds between two looks whether the work was cancelled."""
_MOST_MENDS = 8
"""Times that one request is said otherwise."""
_REPEATS = (
    "{name} repeats the key, or another secret of this process, in its replies; *** stands in its "
    "place. Give such an endpoint a key of its own"
)
_log = logging.getLogger("promptlab")


class RequestPool:
    """Sends requests side by side, at most ``concurrency`` at a time.

    A failure that may pass is tried again after a while. While the endpoint asks to wait nobody
    asks it (`AdaptiveLimiter`); a request waits so for ``patience`` seconds in all, and when many
    in a row have done so in vain the others are not asked either. When the endpoint has not
    answered at all for as many requests in a row as may be under way, others are tried only once,
    until one is answered: an endpoint that is gone costs no waiting for every single request.
    """

    def __init__(
        self,
        transport: Transport,
        options: RemoteOptions,
        *,
        cache: ResponseCache | None,
        costs: CostTracker,
        backoff: RetryBackoff,
        rate_limiter: RateLimiter,
        limiter: AdaptiveLimiter,
        compatibility: EndpointCompatibility,
        pause: Wait | None = None,
    ) -> None:
        self._transport = transport
        self._options = options
        self._cache = cache
        self._costs = costs
        self._backoff = backoff
        self._rate_limiter = rate_limiter
        self._limiter = limiter
        self._compatibility = compatibility
        self._pause = pause
        self._circuit_breaker = CircuitBreaker(
            options.concurrency * (options.retries + 1), 2 * options.concurrency
        )
        self._has_told_of_secrets = False
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._news: queue.SimpleQueue[EndpointBusy | Warned] = queue.SimpleQueue()

    def fetch(
        self, requests: Sequence[Request], heard: OnReplyText | None = None
    ) -> dict[bytes, CompletedRequest | FailedRequest]:
        """What came of every request, by its key; ``heard`` is told of replies as they grow.

        An error that concerns all of them (`EndpointError`, `DiskError`) is raised at once; what
        is under way then is still waited for and kept. When the work is cancelled
        (`Cancellation.in_force`) or interrupted, it is broken off. What the user should know
        meanwhile is told to the `Events` in force, else to the log ``promptlab``; what is paid is
        written into the `CostLedger` in force.
        """
        batch = RequestBatch(heard, current_ledger())
        pool = self._pool()
        futures = {pool.submit(self._guarded, r, batch): r.key for r in requests}
        try:
            return {futures[future]: future.result() for future in self._as_completed(futures)}
        except (Cancelled, KeyboardInterrupt):
            batch.stop.set()
            batch.calls.cancel_all()
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
        self, futures: Collection[Future[CompletedRequest | FailedRequest]]
    ) -> Iterator[Future[CompletedRequest | FailedRequest]]:
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
        listening = events.current_events()
        while not self._news.empty():
            event = self._news.get()
            if listening is not None:
                listening.emit(event)
            else:
                _log.warning("%s", event.message)

    def _guarded(self, request: Request, batch: RequestBatch) -> CompletedRequest | FailedRequest:
        """One request; an error that concerns them all stops the others here and now."""
        try:
            return self._one(request, batch)
        except BaseException:
            batch.stop.set()
            raise

    def _one(self, request: Request, batch: RequestBatch) -> CompletedRequest | FailedRequest:
        """One request until it is answered, refused, or tried too often."""
        turn = RequestAttempts(request, self._body(request, stream=batch.heard is not None))
        while not batch.is_over:
            try:
                answer = self._sent(turn, batch)
            except CancelledError:
                return turn.failure("broken off")
            except RetryableError as error:
                self._pay(turn, batch, error.usage)
                if not self._again(error, turn, batch):
                    told = f"{error} ({turn.times}){self._why(error, turn)}"
                    return self._failed(turn, batch, told)
            except PermanentError as error:
                self._pay(turn, batch, error.usage)
                self._circuit_breaker.note_response()
                if not self._mended(error, turn):
                    told = f"{error} ({turn.times})"
                    return self._failed(turn, batch, told, too_long=error.too_long)
            except WithheldError as error:
                self._pay(turn, batch, error.usage)
                self._circuit_breaker.note_response()
                return self._failed(turn, batch, f"{self._transport.endpoint.url}: {error}")
            else:
                if answer is not None:
                    return answer
        message = batch.given_up or "not asked: another request has stopped them all"
        return self._failed(turn, batch, message) if turn.sent else turn.failure(message)

    def _sent(self, turn: RequestAttempts, batch: RequestBatch) -> CompletedRequest | None:
        """What comes when it is sent once; ``None`` when it is stopped before."""
        pause = batch.stop.wait if self._pause is None else self._pause
        entered = self._limiter.acquire(pause, lambda: batch.is_over)
        if entered is None:
            return None
        request, heard = turn.request, False
        try:
            admission = self._rate_limiter.acquire(turn.reserved, pause, batch.stop.is_set)
            if batch.stop.is_set():
                self._rate_limiter.correct(admission, 0)
                return None
            turn.sent += 1
            self._costs.add(batch.ledger, unheard=1)
            begun = time.perf_counter()
            try:
                reply = self._ask(turn, batch)
            except (RetryableError, CancelledError):
                self._rate_limiter.correct(admission, request.tokens)
                raise
            except (PermanentError, WithheldError) as error:
                heard = True
                used = PaidTokens.of(error.usage, request)
                self._rate_limiter.correct(admission, used.tokens_in + used.tokens_out)
                raise
            except PromptlabError:  # it concerns all of them
                self._costs.add(batch.ledger, unheard=-1)
                raise
            heard, seconds = True, time.perf_counter() - begun
            answer = CompletedRequest.of(reply, request, seconds, turn.paid)
            self._rate_limiter.correct(admission, answer.tokens_in + answer.tokens_out)
        except RetryableError as error:
            if error.busy:
                self._close(error, turn, entered)
            raise
        finally:
            self._limiter.release(answered=heard)
        return self._taken(turn.request, batch, answer, reply.usage)

    def _ask(self, turn: RequestAttempts, batch: RequestBatch) -> Reply:
        grown = None if batch.heard is None else partial(batch.heard, turn.request)
        turn.spoken = self._compatibility.adapt(turn.body)
        return self._transport.send(turn.request.path, turn.spoken, grown, batch.calls)

    def _body(self, request: Request, *, stream: bool) -> Mapping[str, Any]:
        if not (self._options.stream or stream):
            return request.body
        return {**request.body, "stream": True, "stream_options": {"include_usage": True}}

    def _close(self, error: RetryableError, turn: RequestAttempts, entered: float) -> None:
        """Nobody asks for a while, if this request is to be asked again at all."""
        turn.refused += 1
        if turn.answers is None:
            turn.answers = self._circuit_breaker.answers
        # Without a word of how long, not less than usual rate limits take.
        tried = turn.refused if error.wait is not None else turn.refused + 2
        seconds = self._backoff.seconds(tried, error.wait)
        turn.asked += max(1.0, seconds, error.wait or 0.0)
        if not self._is_waited_for(error, turn):
            return
        turn.waited += seconds
        self._rate_limiter.pause_for(seconds)
        if self._limiter.pause_for(seconds, entered):
            url = self._transport.endpoint.url
            said = str(error).removeprefix(f"{url} ")
            self._news.put(
                EndpointBusy(f"{url} asks to wait {format_seconds(seconds)} ({said})", seconds)
            )

    def _is_waited_for(self, error: RetryableError, turn: RequestAttempts) -> bool:
        if self._circuit_breaker.is_unresponsive or turn.asked > self._options.patience:
            return False
        return error.wait is not None or turn.refused <= self._options.retries

    def _again(self, error: RetryableError, turn: RequestAttempts, batch: RequestBatch) -> bool:
        """Whether another try may help; waits before it unless the gate does."""
        again = self._asks_later(error, turn, batch) if error.busy else self._retries(error, turn)
        if not again:
            return False
        self._costs.add(batch.ledger, retries=1)
        if not error.busy:
            pause = batch.stop.wait if self._pause is None else self._pause
            pause(self._backoff.seconds(turn.failed, error.wait))
        return True

    def _retries(self, error: RetryableError, turn: RequestAttempts) -> bool:
        """Whether a fault is tried again."""
        turn.failed += 1
        if error.silent:
            self._circuit_breaker.note_silence()
        else:
            self._circuit_breaker.note_response()
        return not self._circuit_breaker.is_gone and turn.failed <= self._options.retries

    def _asks_later(
        self, error: RetryableError, turn: RequestAttempts, batch: RequestBatch
    ) -> bool:
        """Whether a request is asked again when the gate opens; if nobody's is, all end."""
        self._circuit_breaker.note_response()
        if self._is_waited_for(error, turn):
            return True
        if turn.asked > self._options.patience:
            waited = 0 < self._options.patience <= 2 * turn.waited
            self._circuit_breaker.note_refusal(turn.answers or 0, waited=waited)
            if self._circuit_breaker.is_unresponsive:
                batch.given_up = f"not asked: {error}, and nobody was answered"
        return False

    def _why(self, error: RetryableError, turn: RequestAttempts) -> str:
        """Why it is not tried again, where that is not plain."""
        if not error.busy or turn.asked <= self._options.patience:
            return ""
        return (
            f"; it asks to wait {format_seconds(error.wait or turn.asked)}, and patience is "
            f"{format_seconds(self._options.patience)} (patience: seconds in the model's "
            "section); the same command asks again later"
        )

    def _mended(self, error: PermanentError, turn: RequestAttempts) -> bool:
        """Whether the endpoint understands it if it is said otherwise."""
        name = self._transport.endpoint.name
        if (
            error.is_own
            or turn.mended >= _MOST_MENDS
            or not self._compatibility.learn_from_error(error.complaint, turn.spoken, name)
        ):
            return False
        turn.mended += 1
        turn.sent -= 1
        for remark in self._compatibility.new_adjustments():
            self._news.put(Warned(f"{name} {remark}"))
        return True

    def _pay(self, turn: RequestAttempts, batch: RequestBatch, usage: TokenUsage) -> None:
        """Count what a reply has cost that is no answer."""
        paid = PaidTokens.of(usage, turn.request)
        turn.paid += paid
        self._costs.add(
            batch.ledger,
            unheard=-1,
            tokens_in=paid.tokens_in,
            tokens_out=paid.tokens_out,
            tokens_known=usage.tokens_known,
            estimated=int(paid.estimated),
        )

    def _failed(
        self, turn: RequestAttempts, batch: RequestBatch, message: str, *, too_long: bool = False
    ) -> FailedRequest:
        self._costs.add(batch.ledger, failed=1)
        return turn.failure(message, too_long=too_long)

    def _taken(
        self, request: Request, batch: RequestBatch, answer: CompletedRequest, usage: TokenUsage
    ) -> CompletedRequest:
        """Count and keep an answer; one without words is not kept.

        It is counted before it is kept: a process that is killed between the two pays once more,
        and says so.
        """
        self._circuit_breaker.note_answer()
        if self._transport.repeats_secrets and not self._has_told_of_secrets:
            self._has_told_of_secrets = True
            self._news.put(Warned(_REPEATS.format(name=self._transport.endpoint.name)))
        try:
            self._costs.add(
                batch.ledger,
                requests=1,
                unheard=-1,
                estimated=int(answer.estimated),
                tokens_in=answer.tokens_in,
                tokens_out=answer.tokens_out,
                tokens_known=usage.tokens_known,
            )
        finally:
            if self._cache is not None and answer.is_kept:
                self._cache.keep(request.key, answer.record())
        return answer
