"""What a batch of candidates is fitted with: events, cancelling, checkpoints, and the judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptlab.cancellation import Cancellation
from promptlab.evaluation.metrics import get_metric
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events
from promptlab.predictors.candidate import Candidate

Measure = Callable[[Predictions], float]
"""A number over predictions of which larger is better."""


@dataclass(frozen=True)
class FitRequest:
    """A candidate to be fitted, and the number of the trial that it is (for events)."""

    number: int
    candidate: Candidate


@dataclass(frozen=True)
class CompletedTrial:
    """A complete trial, as kinds are told of it whose candidates build on earlier ones.

    ``value`` is the first objective on dev, its sign changed if need be so that larger is better;
    ``folder`` holds the fitted predictor if its kind keeps it. ``predictions`` is the file of its
    predictions on dev, ``checksum`` its SHA-256 if that was recorded, ``tokens`` what they took an
    example, ``prompt`` its prompt for the first of them; ``member()`` gives the fitted predictor
    itself. Where they must not be used, because a control fits everything anew on other examples,
    there are no predictions.
    """

    number: int
    kind: str
    candidate: Candidate
    value: float
    folder: Path | None
    group: str = ""
    predictions: Path | None = None
    checksum: str | None = None
    tokens: float = 0.0
    prompt: str = ""
    member: Callable[[], Any] | None = field(default=None, compare=False)


class FitContext:
    """What learners are given; this class serves outside of studies, a study has its own.

    ``measure`` is a metric's name, or a function of predictions of which larger is better.
    A learner may keep a checkpoint at `checkpoint`; without a ``folder`` nothing is kept. After
    ``seconds`` it stops with the best that it has found.
    """

    def __init__(
        self,
        measure: str | Measure = "accuracy",
        *,
        events: Events | None = None,
        cancellation: Cancellation | None = None,
        folder: Path | None = None,
        seconds: float | None = None,
    ) -> None:
        self.events = events or Events()
        self.cancellation = cancellation or Cancellation()
        self.folder = folder
        self._seconds, self._started = seconds, time.monotonic()
        self._measure = _by_name(measure) if isinstance(measure, str) else measure

    def score_dev(self, rows: Predictions) -> float:
        """The value of dev predictions; larger is better."""
        return self._measure(rows)

    def is_time_up(self) -> bool:
        """Whether learners are to stop with the best that they have found."""
        return self._seconds is not None and time.monotonic() - self._started > self._seconds

    def should_prune(self, number: int, step: int, value: float) -> bool:
        """Take in the ``step``-th evaluation on dev of a trial; whether it should be given up.

        A learner that is told so stops that candidate and yields `Pruned` for it.
        """
        return False

    def next_candidate(self) -> FitRequest | None:
        """One more candidate of the same group for a learner that has room; None: there is none."""
        return None

    def checkpoint(self, candidate: Candidate) -> Path | None:
        """Where a learner keeps how far it is with ``candidate``; None: nowhere."""
        if self.folder is None:
            return None
        return self.folder / "checkpoints" / f"{candidate.key}.safetensors"


def _by_name(name: str) -> Measure:
    metric = get_metric(name)
    sign = 1.0 if metric.higher_is_better else -1.0
    return lambda rows: sign * float(metric.compute(rows))
