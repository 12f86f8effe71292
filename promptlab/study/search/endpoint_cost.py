"""What a study's endpoint has cost, in all runs together."""

from __future__ import annotations

from typing import Any

from promptlab.events import Cost, Event, Events, TrialFinished
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost import cost_summary
from promptlab.models.remote.cost_ledger import COUNTS, CostLedger

KEPT = "cost"
"""The user attribute of a study in which earlier versions kept the sum after every trial."""


class EndpointCost:
    """Tells what the ledger of a study's folder holds: every request of all runs.

    As a listener it does so after every trial. A local model costs nothing and has no account.
    """

    def __init__(self, ledger: CostLedger, model: LanguageModel, events: Events) -> None:
        self._ledger = ledger
        self._model = model
        self._events = events

    def __call__(self, event: Event) -> None:
        """Tell the sum after a trial."""
        if isinstance(event, TrialFinished):
            self.emit_total()

    def total(self) -> dict[str, Any] | None:
        """Counts, tokens and dollars of all runs; dollars are ``None`` without a price."""
        sums, spent = self._ledger.sums, self._model.usage_cost()
        if sums is None and spent is not None:  # nothing was asked yet
            dollars = None if spent["dollars"] is None else 0.0
            return {**dict.fromkeys(COUNTS, 0), "dollars": dollars}
        return sums

    def emit_total(self) -> None:
        """Tell everyone the sum."""
        sums = self.total()
        if sums is not None:
            self._events.emit(Cost(**sums))

    def add_to(self, board: dict[str, Any]) -> None:
        """Add ``cost`` to the result document, and say in words what was paid, and for what."""
        sums = self.total()
        if sums is not None:
            board["cost"] = sums
            board["statements"].append(f"Cost of the endpoint: {cost_summary(sums)}.")
            board["statements"] += self._model.adjustments()
            board["model"] = self._model.describe()  # what it refused is known by now
