"""What an endpoint turned out not to understand, and what it is told instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STRANGE = re.compile(
    r"unexpected|unsupported|not supported|does not support|unknown|unrecogni[sz]ed|not permitted"
    r"|extra (fields|inputs)|invalid (parameter|argument)",
    re.IGNORECASE,
)
_OPTIONAL = ("seed", "stream_options")
"""Fields without which a request is still the same, only less repeatable or less counted."""


class Dialect:
    """Leaves out what one endpoint has refused; learned once, then known for all requests.

    Newer hosted models want ``max_completion_tokens`` for ``max_tokens``; some endpoints take no
    ``seed`` or ``stream_options``. Nothing else is ever changed.
    """

    def __init__(self) -> None:
        self._left_out: frozenset[str] = frozenset()
        self._newer_limit = False

    @property
    def seeds(self) -> bool:
        """Whether the endpoint takes a seed, as far as is known."""
        return "seed" not in self._left_out

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body as this endpoint understands it."""
        told = {name: value for name, value in body.items() if name not in self._left_out}
        if self._newer_limit and "max_tokens" in told:
            told["max_completion_tokens"] = told.pop("max_tokens")
        return told

    def learns(self, complaint: str, sent: Mapping[str, Any]) -> bool:
        """Whether ``complaint`` about what was ``sent`` names a field that can be left out."""
        if "max_tokens" in sent and "max_completion_tokens" in complaint:
            self._newer_limit = True
            return True
        if not _STRANGE.search(complaint):
            return False
        named = [f for f in _OPTIONAL if f in sent and re.search(rf"\b{f}\b", complaint)]
        self._left_out |= frozenset(named)
        return bool(named)
