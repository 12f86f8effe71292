"""The workbench's studies over a tiny model, and waiting for what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import promptlab as pl
from promptlab.models.local import LocalModel
from promptlab.ui.context import Workbench
from promptlab.ui.queue.study_queue import Job, StudyJobs
from tests.helpers.study_fixtures import study_document, write_reviews


@pytest.fixture
def bench(
    tmp_path: Path, masked: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workbench]:
    """A workbench whose one model is the tiny one."""
    bench = Workbench(("tiny",), tmp_path / "runs")
    monkeypatch.setattr(Workbench, "load", lambda *_: masked)
    yield bench
    bench.jobs.close()


@pytest.fixture
def study(tmp_path: Path, bench: Workbench) -> Callable[..., str]:
    """The text of a small study over an uploaded file."""
    data = bench.keep_upload(write_reviews(tmp_path / "reviews.csv"))

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


def is_(jobs: StudyJobs, name: str, *states: str) -> Callable[[], bool]:
    return lambda: jobs.state(name)["state"] in states


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """``after(n, action)``: done in the study's own thread when the n-th trial from now ends.

    A study that has gone on before anybody looks is no obstacle then.
    """
    due: list[tuple[int, Callable[[], None]]] = []
    seen = [0]
    told = Job.__call__

    def call(job: Job, event: pl.Event) -> None:
        told(job, event)
        if type(event).__name__ == "TrialFinished":
            seen[0] += 1
            for entry in [entry for entry in due if entry[0] == seen[0]]:
                due.remove(entry)
                entry[1]()

    monkeypatch.setattr(Job, "__call__", call)
    return lambda count, action: due.append((seen[0] + count, action))
