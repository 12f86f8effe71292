"""One phase of a training that has several; steps and evaluations are counted through."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from promptlab.evaluation.predictions import Predictions
from promptlab.events import Event, Events, Step
from promptlab.predictors.candidate import Candidate
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.trainer_state import TrainProgress


class PhaseContext(FitContext):
    """``fitting`` for the phase ``name``, which comes after phases with the progress ``before``."""

    def __init__(self, fitting: FitContext, name: str, before: TrainProgress | None = None) -> None:
        super().__init__(
            fitting.score_dev,
            events=Events(self._pass_on),
            cancellation=fitting.cancellation,
            folder=fitting.folder,
        )
        self.whole = fitting
        self.name = name
        self.before = before or TrainProgress()

    def score_dev(self, rows: Predictions) -> float:
        """The whole fitting's judgement."""
        return self.whole.score_dev(rows)

    def should_prune(self, number: int, step: int, value: float) -> bool:
        """Evaluations are counted from the first phase on."""
        return self.whole.should_prune(number, self.before.evaluations + step, value)

    def is_time_up(self) -> bool:
        """The whole fitting's time."""
        return self.whole.is_time_up()

    def next_candidate(self) -> FitRequest | None:
        """A phase is one candidate's."""
        return None

    def checkpoint(self, candidate: Candidate) -> Path | None:
        """A file of the phase's own."""
        path = self.whole.checkpoint(candidate)
        return path and path.with_name(f"{candidate.key}.{self.name}.safetensors")

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, Step):
            event = replace(event, step=self.before.step + event.step)
        self.whole.events.emit(event)
