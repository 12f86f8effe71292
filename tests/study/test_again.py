"""A study that is run again: continued, read, or refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, StudyError
from promptlab.events import Event, TrialFinished
from tests.helpers.study_fixtures import write_reviews
from tests.helpers.study_run_fixtures import start  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow


def test_a_decided_study_is_read_not_run(start: Callable[..., Any]) -> None:
    first, _ = start()
    board = first.run()
    second, heard = start()
    assert second.run() == json.loads(json.dumps(board))
    assert not heard.finished


def test_cancelled_and_continued_equals_uninterrupted(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    cancellation = Cancellation()
    run, heard = start(cancellation=cancellation)

    def stop_after_five(event: Event) -> None:
        if isinstance(event, TrialFinished) and event.number >= 5:
            cancellation.request()

    run.events.subscribe(stop_after_five)
    with pytest.raises(Cancelled):
        run.run()
    kept = {event.name for event in heard.finished}
    assert 0 < len(kept) < 22
    assert not run.folder.is_decided
    second, later = start()
    board = second.run()
    again = {event.name for event in later.finished}
    assert not kept & again
    assert len(kept | again) == 22
    whole, _ = start(study="whole")
    expected = whole.run()
    by_name = {row["name"]: row["dev"] for row in expected["trials"]}
    assert {row["name"]: row["dev"] for row in board["trials"]} == by_name
    assert board["best"]["name"] == expected["best"]["name"]
    assert board["best"]["test"] == expected["best"]["test"]


def test_another_configuration_under_the_same_name(start: Callable[..., Any]) -> None:
    start()[0].run()
    with pytest.raises(StudyError, match=r"another configuration.*different: budget.trials, seed"):
        start(seed=99, budget={"trials": 4})[0].run()


def test_changed_data_under_the_same_name(start: Callable[..., Any], tmp_path: Path) -> None:
    start()[0].run()
    write_reviews(tmp_path / "reviews.csv", rows=95)
    with pytest.raises(StudyError, match="has changed since"):
        start()[0].run()


def test_test_is_not_spent_twice(start: Callable[..., Any]) -> None:
    run, _ = start()
    run.run()
    lock = run.folder.path / "test.lock.json"
    lock.write_text(json.dumps({"trial": 999, "candidate": "other"}))
    run.folder.leaderboard_file.unlink()
    with pytest.raises(StudyError, match="trial 999 has looked at test, and the storage knows"):
        start()[0].run()


def test_two_runs_of_one_folder(start: Callable[..., Any]) -> None:
    run, _ = start()
    caught: list[str] = []

    def run_again(event: Event) -> None:
        if isinstance(event, TrialFinished) and not caught:
            try:
                start()[0].run()
            except StudyError as error:
                caught.append(str(error))

    run.events.subscribe(run_again)
    run.run()
    assert "another process is running" in caught[0]


def test_a_folder_of_an_earlier_version_goes_on(start: Callable[..., Any], tmp_path: Path) -> None:
    """It queued all candidates at once, and asked for lost trials as new ones."""
    import optuna

    expected = start(study="whole")[0].run()
    run, _ = start()
    cut = Cancellation()
    cut.request()
    begun, _ = start(cancellation=cut)
    with pytest.raises(Cancelled):
        begun.run()
    study = optuna.load_study(study_name="reviews", storage=run.storage)
    every = begun.context.space.enumerate(100) or []
    random.Random(begun.spec.seed).shuffle(every)
    for params in every:
        study.enqueue_trial(params)
    study.ask()  # killed before its parameters were looked at
    second = study.ask()  # killed in the midst of them
    second.suggest_categorical("group", ["template", "demonstrations"])
    lost = study.ask()  # killed, and asked again
    study.enqueue_trial(
        study.trials[lost.number].system_attrs["fixed_params"], user_attrs={"again": lost.number}
    )
    study.tell(lost.number, state=optuna.trial.TrialState.FAIL)
    board = run.run()
    assert len(board["trials"]) == 22
    assert {row["name"]: row["dev"] for row in board["trials"]} == {
        row["name"]: row["dev"] for row in expected["trials"]
    }
    assert board["best"]["name"] == expected["best"]["name"]
    assert lost.number not in {row["number"] for row in board["trials"]}


def test_a_report_that_was_not_reached_is_written(start: Callable[..., Any]) -> None:
    run, _ = start()
    run.run()
    run.folder.report_file.unlink()
    start()[0].run()
    assert run.folder.report_file.exists()


def test_what_a_kill_at_the_very_end_has_left_is_cleared(start: Callable[..., Any]) -> None:
    run, _ = start()
    board = run.run()
    left = run.folder.path / ".partial" / "0a1b"
    left.mkdir(parents=True)
    (left / "part").write_text("half")
    assert start()[0].run() == json.loads(json.dumps(board))
    assert not left.parent.exists()


def test_a_storage_without_its_folder(start: Callable[..., Any], tmp_path: Path) -> None:
    import shutil

    storage = f"journal:{tmp_path / 'log'}"
    start(storage=storage)[0].run()
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(StudyError, match="predictions are not in"):
        start(storage=storage)[0].run()
