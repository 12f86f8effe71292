"""The tokens that an endpoint says it has counted."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST = 10**9
"""Tokens that one request cannot have."""
_TRIED = 5
_KEY = re.compile(r'"usage"\s*:\s*(?=\{)')


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of the prompt and of all that was written, ``None`` where they are not told.

    ``tokens_known`` are those of the prompt that the endpoint still knew from before.
    """

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_known: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether both are told."""
        return self.tokens_in is not None and self.tokens_out is not None

    def __bool__(self) -> bool:
        return self.tokens_in is not None or self.tokens_out is not None


UNKNOWN_USAGE = TokenUsage()
"""Where nothing is told."""


def read_usage(document: Any) -> TokenUsage:
    """What a document says under ``usage``; what is no count is not told.

    Some endpoints leave hidden reasoning out of ``completion_tokens`` and have it in the total
    alone: all that is not prompt was written, and is paid for.
    """
    found = document.get("usage") if isinstance(document, Mapping) else None
    if not isinstance(found, Mapping):
        return TokenUsage()
    tokens_in = _count(found.get("prompt_tokens", found.get("input_tokens")))
    tokens_out = _count(found.get("completion_tokens", found.get("output_tokens")))
    total = _count(found.get("total_tokens"))
    if total is not None and tokens_in is not None and total >= tokens_in + (tokens_out or 0):
        tokens_out = total - tokens_in
    return TokenUsage(tokens_in, tokens_out, min(_known(found), tokens_in or 0))


def find_usage(text: str) -> TokenUsage:
    """What a document says that cannot be read as a whole, such as one that was cut."""
    for place in reversed(deque(_KEY.finditer(text), maxlen=_TRIED)):
        try:
            found, _ = json.JSONDecoder().raw_decode(text, place.end())
        except (ValueError, RecursionError):
            continue
        return read_usage({"usage": found})
    return TokenUsage()


def _known(usage: Mapping[str, Any]) -> int:
    details = usage.get("prompt_tokens_details")
    own = details.get("cached_tokens") if isinstance(details, Mapping) else None
    hits = usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens"))
    return _count(own) or _count(hits) or 0


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value <= _MOST or value != int(value):  # also for NaN
        return None
    return int(value)
