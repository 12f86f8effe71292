"""A language model behind an OpenAI-compatible endpoint."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NoReturn

from promptlab.files.cache import cache_dir
from promptlab.files.provenance import ENDPOINT_SAYS, Provenance, content_hash
from promptlab.models.base import Capability, Fill, LanguageModel, Scores
from promptlab.models.remote import request as requests
from promptlab.models.remote.answer import CompletedRequest, FailedRequest
from promptlab.models.remote.compatibility import compatibility_for
from promptlab.models.remote.cost import CostTracker
from promptlab.models.remote.cost_ledger import current as current_ledger
from promptlab.models.remote.endpoint import Endpoint, find_key
from promptlab.models.remote.options import RemoteOptions
from promptlab.models.remote.rate_limit import (
    AdaptiveLimiter,
    Clock,
    RateLimiter,
    Wait,
    limiter_for,
)
from promptlab.models.remote.request import Request, make_request
from promptlab.models.remote.request_pool import RequestPool
from promptlab.models.remote.response_cache import ResponseCache, response_cache_path
from promptlab.models.remote.retry import RetryBackoff
from promptlab.models.remote.transport import Transport
from promptlab.prompts.decoding import Decoding, Finish, Generation, OnText
from promptlab.prompts.parsers.hidden_reasoning import find_stop
from promptlab.prompts.prompt import Prompt, Slot, Text

MAX_TOKENS = 8192
"""The context window of an endpoint that does not tell its own."""
_LARGEST_WINDOW = 10**9
_WINDOWS = ("max_model_len", "context_length", "context_window", "max_context_length")
"""What endpoints call the context window in ``/models``."""
_WHICH = ("id", "root", "parent", "meta", "quantization", "digest", "size")
"""What of ``/models`` says which model it is; times and permissions are made each time."""


class RemoteModel(LanguageModel):
    """Generates over HTTP with any endpoint that speaks OpenAI's protocol.

    ``name`` is ``remote:MODEL@URL``, or the model's name beside ``endpoint``; ``options`` are
    those of `RemoteOptions`. The key comes from the environment (``PROMPTLAB_API_KEY``, else
    ``OPENAI_API_KEY``, or the variable that ``key_env`` names). Replies are kept on disk, and a
    kept one costs nothing. ``backoff``, ``pause`` and ``clock`` replace how time is spent.
    Raises `InputError` for a URL or an option that cannot be.
    """

    family = "remote"

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None = None,
        backoff: RetryBackoff | None = None,
        pause: Wait | None = None,
        clock: Clock = time.monotonic,
        **options: Any,
    ) -> None:
        self.endpoint = Endpoint.parse(name, endpoint)
        self.options = RemoteOptions.parse(**options)
        self.name = self.endpoint.name
        self.key = _key(self.endpoint, self.options)
        self.capabilities = frozenset(
            {"generate", "chat"} if self.options.api == "chat" else {"generate"}
        )
        self.costs = CostTracker(self.options.price)
        find_key(self.options.key_env)  # that it is there is said now
        self.transport = Transport(self.endpoint, self.options)
        self.max_tokens = self.options.max_tokens or self._told_window()
        self._cache = (
            ResponseCache(
                response_cache_path(
                    cache_dir() / "replies", self.key, self._told(_WHICH), self.name
                )
            )
            if self.options.cache
            else None
        )
        self._compatibility = compatibility_for(
            self.endpoint.url, self.endpoint.model, self.options.api
        )
        self._pool = RequestPool(
            self.transport,
            self.options,
            cache=self._cache,
            costs=self.costs,
            backoff=backoff or RetryBackoff(),
            rate_limiter=RateLimiter(
                self.options.requests_per_minute, self.options.tokens_per_minute, clock=clock
            ),
            limiter=limiter_for(self.endpoint.url)
            if clock is time.monotonic
            else AdaptiveLimiter(clock),
            compatibility=self._compatibility,
            pause=pause,
        )

    def generate(
        self,
        prompts: Sequence[Prompt],
        decoding: Decoding,
        *,
        samples: Sequence[int] | None = None,
        on_text: OnText | None = None,
    ) -> list[Generation]:
        """The text that continues every prompt, asked for side by side.

        With ``on_text`` replies are asked for as streams; from an endpoint that does not stream,
        and for a reply that was kept, the whole text comes at the end. Equal requests are sent
        once. Raises `EndpointError` for a wrong key or an unknown model;
        any other failure is the ``error`` of its own `Generation`.
        """
        numbers = [0] * len(prompts) if samples is None else list(samples)
        asked = [
            make_request(self.endpoint, self.options, prompt, decoding, number)
            for prompt, number in zip(prompts, numbers, strict=True)
        ]
        unique = {request.key: request for request in asked}
        kept = {} if self._cache is None else self._cache.find(list(unique))
        found: dict[bytes, CompletedRequest | FailedRequest] = {
            key: answer
            for key, record in kept.items()
            if (answer := CompletedRequest.from_record(record)) is not None
        }
        known = set(found)
        missing = [r for key, r in unique.items() if key not in known]
        heard = None if on_text is None else _heard(asked, decoding, on_text)
        fetched = self._pool.fetch(missing, heard)
        found |= fetched
        self._count_kept([found[request.key] for request in asked], list(fetched.values()))
        made = []
        for number, request in enumerate(asked):
            made.append(self._generation(request, found[request.key], decoding, known))
            known.add(request.key)  # an equal request after it has cost nothing
            if on_text is not None and made[-1].text:
                on_text(number, made[-1].text)
        return made

    def _count_kept(
        self,
        wanted: Sequence[CompletedRequest | FailedRequest],
        fetched: Sequence[CompletedRequest | FailedRequest],
    ) -> None:
        """Count the answers that cost nothing: kept before, or of an equal request."""
        answers = [
            sum(isinstance(each, CompletedRequest) for each in one) for one in (wanted, fetched)
        ]
        if answers[0] > answers[1]:
            self.costs.add(current_ledger(), cached=answers[0] - answers[1])

    def _generation(
        self,
        request: Request,
        found: CompletedRequest | FailedRequest,
        decoding: Decoding,
        known: set[bytes],
    ) -> Generation:
        cached = request.key in known
        if isinstance(found, FailedRequest):
            paid = (found.paid.tokens_in, found.paid.tokens_out, found.seconds)
            finish: Finish = "too_long" if found.too_long else "error"
            return Generation("", *paid, finish, error=found.message)
        used = (
            found.tokens_in + found.wasted_in,
            found.tokens_out + found.wasted_out,
            0.0 if cached else found.seconds,
        )
        beside: dict[str, Any] = {"cached": cached, "reasoning": found.reasoning}
        if found.refusal:
            error = f"{self.name} declined to answer: {found.refusal}"
            return Generation("", *used, "refusal", error=error, refusal=found.refusal, **beside)
        if not found.text.strip():
            return Generation("", *used, "empty", error=self._empty(found), **beside)
        text, stopped = _until(found.text, decoding.stop)
        if found.is_cut and not stopped:
            return Generation(text, *used, "length", **beside)
        return Generation(text, *used, "stop", **beside)

    def _empty(self, found: CompletedRequest) -> str:
        reason = f" (finish reason {found.reason!r})" if found.reason else ""
        why = ""
        if found.reasoning:
            why = "; all went into its hidden reasoning, so give it more (max_tokens)"
        elif found.is_cut:
            why = "; give it more tokens (max_tokens)"
        return f"{self.name} replied with an empty text{reason}{why}"

    def check(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> None:
        """Raise `CapabilityError`: an endpoint's answers cannot be scored."""
        self._cannot("score")

    def score(self, prompts: Sequence[Prompt], answers: Sequence[str]) -> Scores:
        """Raise `CapabilityError`: an endpoint's answers cannot be scored."""
        self._cannot("score")

    def fill(self, prompts: Sequence[Prompt], top: int = 5) -> list[list[Fill]]:
        """Raise `CapabilityError`: slots are filled by local models alone."""
        self._cannot("fill")

    def _cannot(self, capability: Capability) -> NoReturn:
        self.require(capability)
        raise AssertionError(capability)

    def count_tokens(self, prompt: Prompt) -> int:
        """About how many tokens the prompt has: one for four bytes of UTF-8."""
        return requests.count_tokens(prompt)

    def truncate(self, text: str, tokens: int) -> str:
        """The beginning of ``text``, about ``tokens`` tokens long."""
        return requests.truncate(text, tokens)

    def check_reachable(self) -> None:
        """Ask for one token, whatever was kept. Raises `EndpointError` if that is refused."""
        prompt = Prompt((Text("Hello"), Slot()))
        decoding = Decoding(max_tokens=1)
        self._pool.fetch([make_request(self.endpoint, self.options, prompt, decoding, 0)])

    def usage_cost(self) -> dict[str, Any]:
        """Requests, retries, failures, kept replies, tokens and ``dollars`` so far."""
        return self.costs.record()

    def describe(self) -> dict[str, object]:
        """Plain facts, with all options that `load_model` needs again; never a key."""
        facts: dict[str, object] = {
            "endpoint": self.endpoint.url,
            "options": self.options.changed(),
        }
        if self._compatibility.adjustments:
            facts["adapted"] = list(self._compatibility.adjustments)
        return super().describe() | facts

    def adjustments(self) -> list[str]:
        """What is sent otherwise than asked, because the endpoint has refused it."""
        return [f"{self.name} {words}." for words in self._compatibility.adjustments]

    def close(self) -> None:
        """Give connections and the file of replies back."""
        self.transport.close()
        if self._cache is not None:
            self._cache.close()

    def provenance(self) -> Provenance:
        """Endpoint, model and options, and what the endpoint says of the model (as hashes)."""
        fixed = {"endpoint": self.endpoint.url, "model": self.endpoint.model, "options": self.key}
        told = self._told((*_WHICH, *_WINDOWS))
        return Provenance(fixed | {ENDPOINT_SAYS + name: value for name, value in told.items()})

    def _told(self, names: Sequence[str]) -> dict[str, str]:
        """What the endpoint says of this model under these names, if it says anything."""
        return {
            name: _fact(row[name])
            for row in self._own_rows[:1]
            for name in names
            if row.get(name) not in (None, "", [], {})
        }

    @cached_property
    def _own_rows(self) -> list[dict[str, Any]]:
        """What ``/models`` says of this model, asked once."""
        rows = self.transport.list_models()
        own = [row for row in rows if row.get("id") == self.endpoint.model]
        return own or (rows if len(rows) == 1 else [])

    def _told_window(self) -> int:
        """The context window by ``/models``, or a usual one."""
        for row in self._own_rows:
            for name in _WINDOWS:
                if type(row.get(name)) is int and 2 <= row[name] <= _LARGEST_WINDOW:
                    return int(row[name])
        return MAX_TOKENS


def load_remote(
    name: str,
    *,
    endpoint: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    family: str | None = None,
    deterministic: bool = False,
    **options: Any,
) -> RemoteModel:
    """A remote model by its name and options.

    What says how local weights are loaded and computed (``device``, ``dtype``, ``revision``,
    ``family``, ``deterministic``) is the endpoint's own affair and left to it.
    """
    return RemoteModel(name, endpoint=endpoint, **options)


def _fact(value: object) -> str:
    """A number as it is, anything else as a hash: a text from outside is shown nowhere."""
    return str(value) if type(value) is int else content_hash(json.dumps(value, sort_keys=True))


def _until(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string of its answer, and whether there was one."""
    place = find_stop(text, [stop for stop in stops if stop])
    return (text, False) if place is None else (text[:place], True)


def _heard(
    asked: Sequence[Request], decoding: Decoding, on_text: OnText
) -> Callable[[Request, str], None]:
    """Tells every one of equal requests of the text so far, up to a stop string."""
    owners: dict[bytes, list[int]] = {}
    for number, request in enumerate(asked):
        owners.setdefault(request.key, []).append(number)

    def heard(request: Request, text: str) -> None:
        for number in owners[request.key]:
            on_text(number, _until(text, decoding.stop)[0])

    return heard


def _key(address: Endpoint, options: RemoteOptions) -> str:
    """Content hash of what replies depend on beside the request."""
    parts = [requests.VERSION, address.url, address.model, options.api, options.prefill]
    content = json.dumps([*parts, options.extra], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:24]
