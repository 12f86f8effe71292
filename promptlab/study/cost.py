"""What a study's endpoint has cost, in all runs together."""

from __future__ import annotations

from typing import Any

import optuna

from promptlab.events import Cost, Event, Events, TrialFinished
from promptlab.models.language_model import LanguageModel
from promptlab.models.remote.spending import told

_KEPT = "cost"


class CostAccount:
    """Adds what the model has spent in this run to what earlier runs have kept in the storage.

    As a listener it keeps the sum, and tells it, after every trial: a killed run loses no more
    than one trial's costs. A local model costs nothing and has no account.
    """

    def __init__(self, study: optuna.Study, model: LanguageModel, events: Events) -> None:
        self._study = study
        self._model = model
        self._events = events
        self._before: dict[str, Any] = study.user_attrs.get(_KEPT, {})
        self._start = model.spent() or {}

    def __call__(self, event: Event) -> None:
        """Keep the sum after a trial."""
        if isinstance(event, TrialFinished):
            self.keep()

    def total(self) -> dict[str, Any] | None:
        """Counts, tokens and dollars of all runs; dollars are ``None`` without a price."""
        now = self._model.spent()
        if now is None:
            return None
        sums = {
            name: None if value is None else value - (self._start[name] or 0)
            for name, value in now.items()
        }
        for name, value in self._before.items():
            known = sums.get(name) is not None and value is not None
            sums[name] = sums[name] + value if known else None
        return sums

    def keep(self) -> None:
        """Write the sum down and tell it."""
        sums = self.total()
        if sums is not None:
            self._study.set_user_attr(_KEPT, sums)
            self._events.emit(Cost(**sums))

    def put_into(self, board: dict[str, Any]) -> None:
        """Add ``cost`` to the result document, and say in words what was paid, and for what."""
        sums = self.total()
        if sums is not None:
            board["cost"] = sums
            board["statements"].append(f"Cost of the endpoint: {told(sums)}.")
            board["statements"] += self._model.remarks()
            board["model"] = self._model.describe()  # what it refused is known by now
