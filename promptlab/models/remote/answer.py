"""What came of a request: an answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from promptlab.models.remote.reply import FAILED, LENGTH, Reply
from promptlab.models.remote.request import Request, estimate_tokens
from promptlab.models.remote.usage import TokenUsage


@dataclass(frozen=True)
class PaidTokens:
    """Tokens that were paid for; ``estimated`` if the endpoint did not tell all of them."""

    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False

    @classmethod
    def of(cls, usage: TokenUsage, request: Request) -> PaidTokens:
        """What a failed reply has cost: nothing, if nothing is known of it."""
        if not usage:
            return cls()
        known = request.tokens if usage.tokens_in is None else usage.tokens_in
        return cls(known, usage.tokens_out or 0, not usage.is_whole)

    def __add__(self, other: PaidTokens) -> PaidTokens:
        return PaidTokens(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True)
class CompletedRequest:
    """A reply with its token counts (``estimated`` if the endpoint told none) and seconds.

    ``reasoning`` was thought before the text, ``refusal`` are the words with which the model
    declined. ``wasted_in`` and ``wasted_out`` are tokens of replies to the same request that were
    paid for and were no answers.
    """

    text: str
    reason: str
    tokens_in: int
    tokens_out: int
    seconds: float
    estimated: bool = False
    reasoning: str = ""
    refusal: str = ""
    wasted_in: int = 0
    wasted_out: int = 0

    @classmethod
    def of(
        cls, reply: Reply, request: Request, seconds: float, wasted: PaidTokens
    ) -> CompletedRequest:
        """What came for a request."""
        usage = reply.usage
        written = estimate_tokens(reply.text + reply.reasoning + reply.refusal)
        return cls(
            reply.text,
            reply.reason,
            request.tokens if usage.tokens_in is None else usage.tokens_in,
            written if usage.tokens_out is None else usage.tokens_out,
            seconds,
            not usage.is_whole,
            reply.reasoning,
            reply.refusal,
            wasted.tokens_in,
            wasted.tokens_out,
        )

    @property
    def is_kept(self) -> bool:
        """Whether it is worth keeping: one without words may be another next time."""
        return bool(self.text.strip() or self.refusal)

    @property
    def is_cut(self) -> bool:
        """Whether the limit of tokens ended it."""
        return self.reason in LENGTH

    def record(self) -> dict[str, Any]:
        """Plain JSON data, which `from_record` takes again."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> CompletedRequest | None:
        """The answer in a record; ``None`` for one that earlier versions kept and that is none."""
        if str(record.get("reason", "")).lower() in FAILED:
            return None
        known = {field.name: field for field in fields(cls)}
        values = {name: value for name, value in record.items() if name in known}
        if any(not _is_of(known[name].type, value) for name, value in values.items()):
            return None
        if any(f.default is MISSING and name not in values for name, f in known.items()):
            return None
        return cls(**values)


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,),
}  # fmt: skip


def _is_of(name: Any, value: object) -> bool:
    """Whether a value that was read has the type of this name, and can be: no negative tokens."""
    return type(value) in _TYPES[name] and (not isinstance(value, int | float) or value >= 0)


@dataclass(frozen=True)
class FailedRequest:
    """Why a request has no reply, how long it was tried, and what was paid all the same."""

    message: str
    seconds: float
    paid: PaidTokens = PaidTokens()
    too_long: bool = False
