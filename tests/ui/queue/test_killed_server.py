"""The server is killed in the middle of a study and started again: nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import subprocesses
from tests.helpers.browser import free_port
from tests.helpers.study_fixtures import study_document, write_reviews
from tests.helpers.tiny_models import Pair

pytest.importorskip("gradio")

import promptlab as pl
from promptlab.ui.context import AppContext
from tests.helpers.api_client import ApiClient

pytestmark = pytest.mark.slow

_PATIENCE = 300.0


def wait_for(found: Callable[[], Any], process: subprocesses.Started) -> Any:
    """What ``found`` gives as soon as it is true."""
    deadline = time.monotonic() + _PATIENCE
    while not (value := found()) and time.monotonic() < deadline and process.runs:
        time.sleep(0.05)
    assert value, f"waited in vain: {process.said}"
    return value


@contextmanager
def server(model: Path, runs: Path) -> Iterator[tuple[ApiClient, subprocesses.Started]]:
    """``promptlab ui`` in a process of its own, and a client of it; it is killed at the end."""
    port = free_port()
    process = subprocesses.start("ui", "--port", port, "--model", model, "--runs", runs)
    try:
        yield wait_for(lambda: _client(port), process), process
    finally:
        process.kill()


def _client(port: int) -> ApiClient | None:
    try:
        return ApiClient(f"http://127.0.0.1:{port}")
    except Exception:  # it does not listen yet: httpx's and Gradio's own errors alike
        return None


@pytest.fixture
def model(tiny_masked: Pair, folder_of: Callable[[Pair], Path]) -> Path:
    return folder_of(tiny_masked)


@pytest.fixture
def text(tmp_path: Path, model: Path) -> str:
    """A study that takes a second or two."""
    context = AppContext((str(model),), tmp_path / "runs")
    data = context.keep_upload(write_reviews(tmp_path / "reviews.csv", rows=200))
    document = study_document(data, block=2, model=str(model))
    document["task"] |= {"dev": 100, "test": 60}
    return yaml.safe_dump(document, sort_keys=False)


def names_of_waiting(runs: Path) -> list[str]:
    """Studies in the queue's files; numbers begin anew when nothing else waits."""
    return [path.stem.partition("-")[2] for path in (runs / ".queue").iterdir()]


def test_killed_in_mid_study(tmp_path: Path, model: Path, text: str) -> None:
    runs = tmp_path / "runs"
    with server(model, runs) as (client, process):
        assert client.predict(text, api_name="/start_study") == "reviews"
        assert client.predict(text, "second", api_name="/start_study") == "second"
        wait_for(lambda: (runs / "reviews" / "predictions" / "1.jsonl").exists(), process)
        assert process.kill()
    assert pl.Study(runs / "reviews").progress()["state"] == "interrupted"
    kept = {f.name for f in (runs / "reviews" / "predictions").glob("[0-9]*.jsonl")}
    assert names_of_waiting(runs) == ["second"]

    with server(model, runs) as (client, process):
        found = {row["name"]: row["state"] for row in client.predict(api_name="/study_states")}
        assert found["reviews"] == "interrupted"
        assert found["second"] in ("queued", "running")
        assert client.predict("reviews", api_name="/resume_study")["state"] == "queued"
        client.predict("second", api_name="/cancel_study")
        wait_for(
            lambda: client.predict("reviews", api_name="/study_progress")["state"] == "decided",
            process,
        )
    board = pl.Study(runs / "reviews").leaderboard()
    assert len(board["trials"]) == 22
    assert kept <= {f.name for f in (runs / "reviews" / "predictions").glob("[0-9]*.jsonl")}
    started = [row for row in pl.Study(runs / "reviews").log() if row["event"] == "StudyStarted"]
    assert len(started) == 2 and started[1]["finished"] >= 1


def test_asked_to_end_in_mid_study(tmp_path: Path, model: Path, text: str) -> None:
    """SIGTERM: the study stops at its block, as if somebody had said so, and the server ends."""
    runs = tmp_path / "runs"
    with server(model, runs) as (client, process):
        assert client.predict(text, api_name="/start_study") == "reviews"
        assert client.predict(text, "second", api_name="/start_study") == "second"
        wait_for(lambda: (runs / "reviews" / "predictions" / "1.jsonl").exists(), process)
        process.terminate()
        assert process.code(_PATIENCE) == 0
    found = pl.Study(runs / "reviews").progress()
    assert found["state"] == "stopped" and 1 <= found["finished"] < 22
    assert names_of_waiting(runs) == ["second"]
