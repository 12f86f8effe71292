"""How far a study is, read from its folder: while it runs, stopped, and decided."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

import promptlab as pl
from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, StudyError, WorkError
from promptlab.events import BlockScored, Event, Events, TrialFinished
from promptlab.models.local import LocalModel
from promptlab.study import CurveRun, StudyRun
from promptlab.study.progress.log import StudyLog
from promptlab.study.progress.watch import StudyWatcher
from tests.helpers.learning_curve_fixtures import curve_document
from tests.helpers.study_fixtures import study_document, write_reviews

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path, masked: LocalModel) -> Callable[..., Any]:
    """Makes a run of the small study whose listener is ``heard``."""
    data = write_reviews(tmp_path / "reviews.csv")

    def make(
        heard: Callable[[Event], None], cancellation: Cancellation | None = None, **changes: Any
    ) -> StudyRun:
        return StudyRun(
            pl.load_spec(study_document(data, **changes), source="test"),
            out=tmp_path / "runs",
            events=Events(heard),
            cancellation=cancellation,
            model=masked,
        )

    return make


def test_from_its_start_to_its_decision(start: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "reviews"
    with pytest.raises(StudyError, match="there is no study"):
        pl.Study(folder).progress()
    seen: list[dict[str, Any]] = []
    cancellation = Cancellation()

    def heard(event: Event) -> None:
        if isinstance(event, BlockScored) and event.done == 20:
            seen.append(pl.Study(folder).progress())
        if isinstance(event, TrialFinished) and event.number == 9:
            cancellation.request()

    with pytest.raises(Cancelled):
        start(heard, cancellation).run()
    assert {row["state"] for row in seen} == {"running"}
    assert all(row["planned"] == 22 and row["examples"] == 30 for row in seen)
    counts = [row["finished"] for row in seen]
    assert counts == sorted(counts) and counts[0] == 0 and counts[-1] >= 5
    assert any(row["running"] and row["running"][0]["name"] for row in seen)
    stopped = pl.Study(folder).progress()
    assert stopped["state"] == "stopped" and stopped["running"] == [] and not stopped["message"]
    values = [row["dev"]["accuracy"] for row in stopped["trials"]]
    assert values == sorted(values, reverse=True) and len(values) == stopped["finished"]
    low, high = stopped["trials"][0]["dev"]["ci95"]
    assert low <= values[0] <= high
    assert stopped["best"] == stopped["trials"][0]["number"]

    seen.clear()
    cancellation = Cancellation()
    board = start(lambda event: None).run()
    decided = pl.Study(folder).progress()
    assert decided["state"] == "decided"
    assert decided["trials"] == board["trials"]
    assert decided["statements"] == board["statements"]
    assert decided["seconds"] == board["seconds"]
    assert decided["finished"] == decided["planned"] == 22


def test_a_look_at_what_has_not_changed_is_cheap(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(lambda event: None).run()
    folder = tmp_path / "runs" / "reviews"
    (folder / "leaderboard.json").unlink()  # as if it were not decided yet
    watch = StudyWatcher(folder)
    first = watch.poll()
    assert first["state"] == "interrupted" and len(first["trials"]) == 22
    reads: list[int] = []
    monkeypatch.setattr(watch, "_read", lambda: reads.append(1))
    assert watch.poll() == first and reads == []


def test_whoever_holds_the_folder_runs_it(start: Callable[..., Any], tmp_path: Path) -> None:
    run = start(lambda event: None)
    run.run()
    folder = run.folder.path
    (folder / "leaderboard.json").unlink()
    assert pl.Study(folder).progress()["state"] == "interrupted"
    with FileLock(folder / ".lock"):
        assert pl.Study(folder).progress()["state"] == "running"
    assert pl.Study(folder).progress()["state"] == "interrupted"
    ended = threading.Event()

    def glance() -> None:
        while not ended.is_set():
            assert isinstance(run.folder.is_held, bool)

    thread = threading.Thread(target=glance)
    thread.start()
    try:  # looking at the lock keeps nobody from running the study
        assert run.run()["study"] == "reviews"
    finally:
        ended.set()
        thread.join()


def test_a_study_whose_storage_is_elsewhere(start: Callable[..., Any], tmp_path: Path) -> None:
    run = start(lambda event: None)
    board = run.run()
    folder = run.folder.path
    for file in ("leaderboard.json", "study.db"):
        (folder / file).unlink()
    found = StudyWatcher(folder).poll()
    assert [row["dev"] for row in found["trials"]] == [row["dev"] for row in board["trials"]]
    assert found["trials"][0]["kind"] == board["trials"][0]["kind"]
    (folder / "log.jsonl").unlink()
    assert StudyWatcher(folder).poll()["trials"] == []


def test_another_study_of_the_same_name(start: Callable[..., Any], tmp_path: Path) -> None:
    run = start(lambda event: None)
    run.run()
    folder = run.folder.path
    (folder / "leaderboard.json").unlink()
    assert len(pl.Study(folder).progress()["trials"]) == 22
    shutil.rmtree(folder)
    start(lambda event: None, budget={"trials": 3}).run()
    (folder / "leaderboard.json").unlink()
    assert len(pl.Study(folder).progress()["trials"]) == 3


def test_a_failure_keeps_its_reason(start: Callable[..., Any], tmp_path: Path) -> None:
    def heard(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.number == 3:
            raise WorkError("the endpoint is gone")

    with pytest.raises(WorkError):
        start(heard).run()
    found = pl.Study(tmp_path / "runs" / "reviews").progress()
    assert (found["state"], found["message"]) == ("failed", "the endpoint is gone")


def test_a_learning_curve(tmp_path: Path, masked: LocalModel) -> None:
    data = write_reviews(tmp_path / "reviews.csv")
    seen: list[dict[str, Any]] = []
    folder = tmp_path / "runs" / "curve"

    def heard(event: Event) -> None:
        if isinstance(event, TrialFinished):
            seen.append(pl.Study(folder).progress())

    spec = pl.load_spec(curve_document(data), source="test")
    CurveRun(spec, out=tmp_path / "runs", events=Events(heard), model=masked).run()
    assert [row["finished"] for row in seen] == list(range(1, 19))
    assert {row["planned"] for row in seen} == {18}
    found = pl.Study(folder).progress()
    assert found["state"] == "decided" and found["kind"] == "learning_curve"
    assert len(found["trials"]) == 18 and found["best"] is None
    row = found["trials"][-1]
    assert {"method", "size", "seed"} <= set(row) and row["dev"]["n"] == 40
    board = pl.Study(folder).leaderboard()
    order = [method["name"] for method in board["methods"]]
    curves = sorted(found["curves"], key=lambda r: (order.index(r["method"]), r["size"]))
    assert curves == board["curves"] and len(seen[0]["curves"]) == 1
    assert [e["event"] for e in pl.Study(folder).log()][-1] == "StudyFinished"


def test_the_clock_of_a_study_stands_while_it_is_paused() -> None:
    def line(second: int, event: str, **fields: Any) -> dict[str, Any]:
        return {"time": f"2026-01-01T00:00:{second:02}Z", "event": event, **fields}

    log = StudyLog()
    log.add_events(line(0, "StudyStarted", planned=4, finished=0, examples=10))
    log.add_events(
        line(10, "TrialFinished", number=0, name="a", state="complete", value=1, seconds=10)
    )
    log.add_events(line(12, "Phase", name="paused"))
    now = log._last + 30
    assert log.seconds(now) == 12
    log.add_events(line(42, "Phase", name="going on"))
    assert log.seconds(log._last + 3) == 15
    assert log.phase == "search"
    assert log.seconds_left(log._last, 4, 1) == pytest.approx(36)
    log.add_events(line(50, "StudyStarted", planned=4, finished=1, examples=10))
    assert log.seconds(log._last + 5) == 12 + 5
    assert log.seconds_left(log._last, 4, 4) is None


def test_waiting_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("promptlab.cancellation.time", SimpleNamespace(perf_counter=lambda: now[0]))
    cancellation = Cancellation()
    before = cancellation.clock()
    cancellation.pause()
    thread = threading.Thread(target=cancellation.check)
    thread.start()
    deadline = time.monotonic() + 60
    while not cancellation.waiting and time.monotonic() < deadline:
        time.sleep(0.005)
    assert cancellation.waiting
    now[0] += 5
    assert cancellation.clock() == before
    cancellation.resume()
    thread.join()
    assert not cancellation.waiting
    now[0] += 2
    assert cancellation.clock() - before == 2
