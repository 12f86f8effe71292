"""Which failed requests are tried again, and how long after; all others, with the reason."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptlab.errors import EndpointError
from promptlab.models.remote.error_message import ErrorMessage
from promptlab.models.remote.retry_after import requested_wait
from promptlab.models.remote.usage import UNKNOWN_USAGE, TokenUsage

RETRIED = frozenset({408, 409, 425, 429})
"""Statuses that may pass, beside all from 500 on."""
_BUSY = frozenset({429, 529})
_BUSY_CODES = frozenset(
    {
        "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached", "rate_limited",
        "too_many_requests", "toomanyrequests", "overloaded_error", "overloaded",
        "engine_overloaded", "engine_overloaded_error", "resource_exhausted",
        "throttlingexception", "capacity_exceeded", "server_overloaded",
    }
)  # fmt: skip
_SPENT_CODES = frozenset(
    {
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active",
        "insufficient_balance", "insufficient_credits", "insufficient_user_quota",
        "payment_required", "access_terminated", "billing_error", "quota_exhausted",
    }
)  # fmt: skip
_SPENT = re.compile(
    r"insufficient (?:account )?(?:balance|credits?|funds|quota)|credit balance is too low"
    r"|out of credits?|no credits? (?:left|remaining)|exceeded your current quota"
    r"|(?:used|spent) (?:all|up) (?:of )?your (?:available |monthly |included )*credits?"
    r"|billing (?:hard )?limit|billing (?:is )?not active|account is not active"
    r"|requires more credits"
    r"|payment required|spending limit|add (?:more )?(?:credits|funds)|top up your",
    re.IGNORECASE,
)
_TOO_LONG_CODES = frozenset(
    {
        "context_length_exceeded", "string_above_max_length", "exceed_context_size_error",
        "context_window_exceeded", "request_too_large", "tokens_limit_reached",
    }
)  # fmt: skip
_TOO_LONG = re.compile(
    r"context[ _](?:length|window|size)|maximum (?:context|prompt|input) length|prompt is too long"
    r"|input (?:is )?too long|too many (?:input )?tokens|request too large|reduce the length"
    r"|exceeds? the (?:available|maximum|model'?s?) (?:context|input|token)"
    r"|input or output tokens must be reduced|longer than the (?:maximum|model)",
    re.IGNORECASE,
)
_FILTER_CODES = frozenset(
    {
        "content_filter", "content_policy_violation", "responsibleaipolicyviolation",
        "content_filtered", "data_inspection_failed", "datainspectionfailed", "moderation_blocked",
        "invalid_prompt", "sensitive_words_detected", "guardrail_violation",
    }
)  # fmt: skip
_FILTER = re.compile(
    r"content (?:management |usage )?polic|content[ _-]filter|input was flagged|safety system"
    r"|violat\w+ (?:of )?(?:our|the|usage|content)|inappropriate content|content exists risk"
    r"|requires moderation",
    re.IGNORECASE,
)
_NO_MODEL_CODES = frozenset(
    {"model_not_found", "model_not_available", "invalid_model", "deploymentnotfound", "not_found"}
)
_NO_MODEL = re.compile(
    r"model\b.{0,120}?(?:not found|not exist|n't exist|is not a valid|not available|is unknown"
    r"|no longer available|not supported by any|has been (?:deprecated|removed|retired))"
    r"|no such model|unknown model|invalid model|unsupported model|model not",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RetryBackoff:
    """Seconds before the next try: twice as many every time, half of them at random.

    ``most`` bounds them. An endpoint that asks everyone to wait and does not say how long is given
    ``busy`` times as many.
    """

    first: float = 0.5
    most: float = 30.0
    busy: float = 4.0
    draws: random.Random = field(default_factory=random.Random)

    def seconds(self, tried: int, asked: float | None = None) -> float:
        """After ``tried`` tries; never less than what the endpoint ``asked`` for."""
        grown = min(self.most, self.first * 2.0 ** min(tried - 1, 30))
        drawn = grown * (0.5 + 0.5 * self.draws.random())
        # One that asks for nothing and refuses again is given more time, too.
        return drawn if asked is None else max(asked + min(1.0, drawn), drawn)


class RetryableError(Exception):
    """A failure that may pass.

    ``busy``: the endpoint asks everyone to wait, ``wait`` seconds if it says how long. ``silent``:
    nothing answered. ``usage`` is what the failed reply has cost.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float | None = None,
        busy: bool = False,
        silent: bool = False,
        usage: TokenUsage = UNKNOWN_USAGE,
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.busy = busy
        self.silent = silent
        self.usage = usage


class PermanentError(Exception):
    """The endpoint refuses this request, and would again.

    ``is_own``: for what its prompt says or how long it is, so that others may be taken.
    ``too_long``: the latter.
    """

    def __init__(
        self,
        message: str,
        complaint: ErrorMessage,
        *,
        is_own: bool = False,
        too_long: bool = False,
        usage: TokenUsage = UNKNOWN_USAGE,
    ) -> None:
        super().__init__(message)
        self.complaint = complaint
        self.is_own = is_own or too_long
        self.too_long = too_long
        self.usage = usage


@dataclass(frozen=True)
class ErrorResponse:
    """An answer that tells a failure: its status, headers, text, and how it is told."""

    status: int
    headers: Mapping[str, str]
    text: str
    told: str
    complaint: ErrorMessage
    usage: TokenUsage = UNKNOWN_USAGE

    def classify(
        self, model: str, key_name: str
    ) -> RetryableError | PermanentError | EndpointError:
        """What it means. ``key_name`` is the environment variable that holds the key."""
        complaint, status, told = self.complaint, self.status, self.told
        said, codes = complaint.message, complaint.codes
        wait = requested_wait(self.headers, self.text)
        if codes & _SPENT_CODES or status == 402 or (wait is None and _SPENT.search(said)):
            return EndpointError(f"{told}; its account has no credit left, or a limit on spending")
        if self._is_too_long:
            return PermanentError(told, complaint, too_long=True, usage=self.usage)
        if complaint.filtered or codes & _FILTER_CODES or (status < 429 and _FILTER.search(said)):
            found = f" ({', '.join(complaint.filtered)})" if complaint.filtered else ""
            return PermanentError(
                f"{told}; a content filter refused the prompt{found}",
                complaint,
                is_own=True,
                usage=self.usage,
            )
        if status in _BUSY or codes & _BUSY_CODES or (wait is not None and self._passes):
            return RetryableError(told, wait=wait, busy=True, usage=self.usage)
        if self._passes:
            return RetryableError(told, usage=self.usage)
        return self._stops(model, key_name) or PermanentError(told, complaint, usage=self.usage)

    def _stops(self, model: str, key_name: str) -> EndpointError | None:
        """The error if no request can succeed."""
        status, told, said = self.status, self.told, self.complaint.message
        if status in (401, 403):
            return EndpointError(
                f"{told}; set the environment variable {key_name} to a key for this endpoint and "
                "model"
            )
        if status == 407:
            return EndpointError(
                f"{told}; the proxy on the way wants a login: put it into the environment variable "
                "HTTPS_PROXY or HTTP_PROXY, or name the endpoint's host in NO_PROXY"
            )
        if 300 <= status < 400:
            return EndpointError(f"{told}; it moved: give the URL it answers at{self._moved}")
        if status in (404, 405, 410) or (
            status in (400, 422) and self._is_about_the_model(said, model)
        ):
            return NoModelError(told)
        return None

    @property
    def _passes(self) -> bool:
        return self.status in RETRIED or self.status >= 500

    @property
    def _is_too_long(self) -> bool:
        if self.complaint.codes & _TOO_LONG_CODES or self.status == 413:
            return True
        found = _TOO_LONG.search(self.complaint.message)
        return found is not None and (self.status != 429 or "request" in found[0].lower())

    def _is_about_the_model(self, said: str, model: str) -> bool:
        if self.complaint.codes & _NO_MODEL_CODES:
            return True
        if re.search(r"parameter|argument|field|value|does not support", said, re.IGNORECASE):
            return False
        named, no = f"['\"`]{re.escape(model)}['\"`]", r"\b(?:no|not|only|unknown|pinned)\b|n't\b"
        denied = rf"(?:{no}).{{0,80}}{named}|{named}.{{0,80}}(?:{no})"
        return bool(_NO_MODEL.search(said) or re.search(denied, said, re.IGNORECASE))

    @property
    def _moved(self) -> str:
        place = self.headers.get("location", "").split("?")[0].split("#")[0]
        return f" ({place})" if re.fullmatch(r"https?://[^\s@]{1,200}", place) else ""


class NoModelError(EndpointError):
    """The endpoint has no such model, or there is no endpoint at this URL."""
