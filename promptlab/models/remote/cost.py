"""What replies of an endpoint have cost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from promptlab.models.remote.cost_ledger import COUNTS, CostLedger
from promptlab.models.remote.options import Price


class CostTracker:
    """Counts of all requests so far, and their price; used by several threads.

    ``requests`` are replies that were paid for, ``retries`` further tries, ``failed`` requests
    without a reply, ``cached`` replies that were kept already, ``estimated`` replies whose tokens
    the endpoint did not tell, ``unheard`` requests that are under way, or were broken off: the
    endpoint may charge for them. Tokens are those that were paid for.
    """

    def __init__(self, price: Price | None) -> None:
        self._price = price
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(COUNTS, 0)
        self._known = 0

    def add(self, ledger: CostLedger | None, *, tokens_known: int = 0, **counts: int) -> None:
        """Count on, and write it into the ``ledger`` of the work that pays.

        ``tokens_known`` of ``tokens_in`` have the price of cached ones. Raises `DiskError`.
        """
        with self._lock:
            self._known += tokens_known
            for name, count in counts.items():
                self._counts[name] += count
        if ledger is not None:
            paid = (counts.get("tokens_in", 0), counts.get("tokens_out", 0), tokens_known)
            ledger.add({**counts, "dollars": self._dollars(*paid)})

    def record(self) -> dict[str, Any]:
        """The counts, and ``dollars`` (``None`` without a price)."""
        with self._lock:
            counts, known = dict(self._counts), self._known
        dollars = self._dollars(counts["tokens_in"], counts["tokens_out"], known)
        return counts | {"dollars": dollars}

    def _dollars(self, tokens_in: int, tokens_out: int, known: int) -> float | None:
        return None if self._price is None else self._price.dollars(tokens_in, tokens_out, known)


def cost_summary(spent: Mapping[str, Any]) -> str:
    """What was spent, in a sentence's words."""
    parts = [f"{spent['requests']:,} replies paid for"]
    if spent["cached"]:
        parts.append(f"{spent['cached']:,} kept from before")
    if spent["retries"]:
        parts.append(f"{spent['retries']:,} repeated tries")
    if spent["failed"]:
        parts.append(f"{spent['failed']:,} failed")
    if spent.get("unheard"):
        parts.append(
            f"{spent['unheard']:,} sent whose reply was not awaited (the work was stopped or "
            "killed), which may be charged"
        )
    parts.append(f"{spent['tokens_in']:,} + {spent['tokens_out']:,} tokens")
    if spent["estimated"]:
        parts.append(f"tokens of {spent['estimated']:,} replies estimated")
    dollars = spent["dollars"]
    parts.append("no price given" if dollars is None else dollars_text(dollars))
    return ", ".join(parts)


def dollars_text(dollars: float) -> str:
    """``"$0.0123"``: cents, and for small sums two figures."""
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.2g}"
