"""Runs of the small study, and what they tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.events import Event, Events, TrialFinished
from promptlab.models.local import LocalModel
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.study_fixtures import study_document, write_reviews


class Heard:
    """A listener that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def finished(self) -> list[TrialFinished]:
        return [event for event in self.events if isinstance(event, TrialFinished)]


@pytest.fixture
def start(tmp_path: Path, masked: LocalModel) -> Callable[..., tuple[StudyRun, Heard]]:
    """Makes a run of the small study; keyword arguments change its document."""
    data = write_reviews(tmp_path / "reviews.csv")

    def make(
        *, cancellation: Cancellation | None = None, storage: str | None = None, **changes: Any
    ) -> tuple[StudyRun, Heard]:
        heard = Heard()
        run = StudyRun(
            load_spec(study_document(data, **changes), source="test"),
            out=tmp_path / "runs",
            events=Events(heard),
            cancellation=cancellation,
            storage=storage,
            model=masked,
        )
        return run, heard

    return make
