"""The workbench's studies over a tiny model, and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptlab.events import Event
from promptlab.models.local import LocalModel
from promptlab.ui.context import AppContext
from promptlab.ui.queue.study_queue import StudyJob, StudyQueue
from tests.helpers.study_fixtures import study_document, write_reviews


@pytest.fixture
def context(
    tmp_path: Path, masked: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppContext]:
    """A workbench whose one model is the tiny one."""
    context = AppContext(("tiny",), tmp_path / "runs")
    monkeypatch.setattr(AppContext, "load_model", lambda *_: masked)
    yield context
    context.queue.close()


@pytest.fixture
def study(tmp_path: Path, context: AppContext) -> Callable[..., str]:
    """The text of a small study over an uploaded file."""
    data = context.keep_upload(write_reviews(tmp_path / "reviews.csv"))

    def make(**changes: Any) -> str:
        return yaml.safe_dump(study_document(data, **changes), sort_keys=False)

    return make


def wait_for(found: Callable[[], Any], seconds: float = 300.0) -> Any:
    """What ``found`` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert value, "waited in vain"
    return value


def is_(jobs: StudyQueue, name: str, *states: str) -> Callable[[], bool]:
    return lambda: jobs.state(name)["state"] in states


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """``after(n, action)``: done in the study's own thread when the n-th trial from now ends.

    A study that has gone on before anybody looks is no obstacle then.
    """
    due: list[tuple[int, Callable[[], None]]] = []
    seen = [0]
    told = StudyJob.__call__

    def call(job: StudyJob, event: Event) -> None:
        told(job, event)
        if type(event).__name__ == "TrialFinished":
            seen[0] += 1
            for entry in [entry for entry in due if entry[0] == seen[0]]:
                due.remove(entry)
                entry[1]()

    monkeypatch.setattr(StudyJob, "__call__", call)
    return lambda count, action: due.append((seen[0] + count, action))
