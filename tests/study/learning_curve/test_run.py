"""A learning curve on a tiny real model: cells, draws, resuming, failing, refusing."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlab.cancellation import Cancellation
from promptlab.errors import Cancelled, StudyError, WorkError
from promptlab.evaluation.statistics import t_interval
from promptlab.events import Event, Events, StudyStarted, TrialFinished
from promptlab.models.local import LocalModel
from promptlab.study.learning_curve.run import CurveRun
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from tests.helpers.learning_curve_fixtures import (
    LEARNED,
    TEMPLATE,
    LearnedKind,
    curve_document,
    method,
)
from tests.helpers.study_fixtures import write_reviews

pytestmark = pytest.mark.slow

ALLOWED_CODE = ("tests",)

Start = Callable[..., tuple[CurveRun, list[Event]]]


@pytest.fixture
def start(tmp_path: Path, masked: LocalModel) -> Start:
    """Makes a run of the small curve; keyword arguments change its document."""
    data = write_reviews(tmp_path / "reviews.csv")
    LearnedKind.fits.clear()

    def make(
        *, cancellation: Cancellation | None = None, **changes: Any
    ) -> tuple[CurveRun, list[Event]]:
        heard: list[Event] = []
        spec = load_spec(curve_document(data, **changes), source="test.yaml")
        assert isinstance(spec, CurveSpec)
        run = CurveRun(
            spec,
            out=tmp_path / "runs",
            events=Events(heard.append),
            cancellation=cancellation,
            model=masked,
        )
        return run, heard

    return make


def finished(heard: list[Event]) -> list[TrialFinished]:
    return [event for event in heard if isinstance(event, TrialFinished)]


def test_the_folder_and_the_document(start: Start, tmp_path: Path) -> None:
    run, heard = start()
    document = run.run()
    assert document["kind"] == "learning_curve"
    assert len(document["cells"]) == 18 == len(finished(heard))
    assert [m["name"] for m in document["methods"]] == ["plain", "demonstrations", "template"]
    folder = tmp_path / "runs" / "curve"
    assert {path.name for path in folder.iterdir()} >= {
        "study.yaml", "leaderboard.json", "leaderboard.csv", "report.html", "cells",
    }  # fmt: skip
    assert json.loads((folder / "leaderboard.json").read_text()) == json.loads(json.dumps(document))
    assert not list(folder.rglob("*.partial"))
    for cell in document["cells"]:
        path = folder / "cells" / f"{cell['method']}-{cell['size']}-{cell['seed']}.jsonl"
        assert path.exists() == (cell["state"] == "complete")
        if cell["state"] == "complete":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            assert [row["example_id"] for row in rows] == [e.id for e in run.plan.task.test]
            right = sum(row["label"] == row["target"] for row in rows)
            assert cell["value"] == pytest.approx(right / 40)


def test_curves_are_means_over_the_seeds(start: Start) -> None:
    document = start(seeds=[13, 21, 42])[0].run()
    for row in document["curves"]:
        values = [
            c["value"]
            for c in document["cells"]
            if (c["method"], c["size"]) == (row["method"], row["size"]) and c["repeats"] is None
        ]
        assert row["mean"] == pytest.approx(statistics.fmean(values))
        assert row["n_seeds"] == len(values)
        if len(values) > 1:
            assert row["std"] == pytest.approx(statistics.stdev(values))
            assert (row["low"], row["high"]) == pytest.approx(t_interval(values))
        else:
            assert row["low"] is row["high"] is row["std"] is None
    assert {(r["method"], r["size"]) for r in document["curves"] if r["size"] == 0} == {
        ("plain", 0)
    }


def test_needing_examples_is_no_failure(start: Start) -> None:
    document = start()[0].run()
    without = [c for c in document["cells"] if c["state"] == "needs examples"]
    assert {(c["method"], c["size"]) for c in without} == {("demonstrations", 0), ("template", 0)}
    assert all(c["reason"] for c in without)
    assert not any(c["state"] == "failed" for c in document["cells"])
    told = " ".join(document["statements"])
    assert "demonstrations needs examples" in told
    assert "failed" not in told


def test_without_examples_equal_work_is_done_once(start: Start) -> None:
    document = start()[0].run()
    zero = [c for c in document["cells"] if (c["method"], c["size"]) == ("plain", 0)]
    assert [c["repeats"] for c in zero] == [None, 13]
    assert zero[0]["value"] == zero[1]["value"]
    assert zero[0]["tokens"] > 0 == zero[1]["tokens"]


def test_every_cell_has_its_draw_and_its_seed(start: Start) -> None:
    run, _ = start(methods=[method(kind=LEARNED)], sizes=[4, 0], dev_per_class=3, baseline=None)
    run.run()
    assert sorted(LearnedKind.fits) == [(0, 6, 13), (0, 6, 21), (8, 6, 13), (8, 6, 21)]
    small, large = run.plan.task_of(2, 13), run.plan.task_of(4, 13)
    assert {e.id for e in small.train} < {e.id for e in large.train}
    assert small.test == large.test == run.plan.task.test
    assert run.plan.task_of(2, 21).train != small.train


def test_a_failing_cell_leaves_the_others(start: Start) -> None:
    methods = [method(), method(name="learned", kind=LEARNED)]
    document = start(methods=methods)[0].run()
    states = {(c["size"], c["seed"]): c for c in document["cells"] if c["method"] == "learned"}
    assert states[2, 21]["state"] == "failed"
    assert states[2, 21]["reason"] == "RuntimeError: the loss is not finite"
    assert states[2, 13]["state"] == states[4, 21]["state"] == "complete"
    assert states[0, 13]["state"] == "needs examples"
    (row,) = [r for r in document["comparisons"] if r["size"] == 2]
    assert (row["n_seeds"], row["test"]) == (1, "mcnemar_exact")
    assert any("1 of 6 cells of learned failed; the first, at 2 with seed 21" in s
               for s in document["statements"])  # fmt: skip


def test_all_cells_failing(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LearnedKind, "fails", frozenset({(4, 13), (4, 21)}))
    run, _ = start(methods=[method(kind=LEARNED)], sizes=[2], baseline=None)
    with pytest.raises(WorkError, match="no cell was completed: RuntimeError: the loss"):
        run.run()
    assert not run.folder.is_decided


def test_a_finished_curve_is_read_not_run(start: Start) -> None:
    document = start()[0].run()
    again, heard = start()
    again.folder.report_file.unlink()
    assert again.run() == json.loads(json.dumps(document))
    assert not finished(heard)
    assert again.folder.report_file.exists()


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    cells = [{**cell, "seconds": 0} for cell in document["cells"]]
    return {**document, "cells": cells, "seconds": 0, "study": ""}


def test_cancelled_and_continued_equals_uninterrupted(start: Start) -> None:
    cancellation = Cancellation()
    run, heard = start(cancellation=cancellation)
    run.events.subscribe(lambda e: cancellation.request() if len(finished(heard)) == 7 else None)
    with pytest.raises(Cancelled):
        run.run()
    assert not run.folder.is_decided
    files = run.folder.path / "cells"
    times = {path.name: path.stat().st_mtime_ns for path in files.iterdir()}
    assert len(list(files.glob("*.json"))) == 7
    second, later = start()
    document = second.run()
    (began,) = [event for event in later if isinstance(event, StudyStarted)]
    assert (began.finished, began.planned, len(finished(later))) == (7, 18, 11)
    assert all((files / name).stat().st_mtime_ns == time for name, time in times.items())
    assert without_times(document) == without_times(start(study="whole")[0].run())


def test_a_cell_that_was_half_written_is_computed_again(start: Start) -> None:
    run, _ = start()
    document = run.run()
    run.folder.leaderboard_file.unlink()
    (run.folder.path / "cells" / "plain-4-13.json").unlink()
    (run.folder.path / "cells" / "plain-2-13.jsonl").unlink()
    again, heard = start()
    assert without_times(again.run()) == without_times(document)
    assert [event.name for event in finished(heard)] == [
        "plain · 2 · seed 13",
        "plain · 4 · seed 13",
    ]


def test_what_a_learner_kept_goes_with_its_cell(start: Start) -> None:
    run, _ = start()
    work = run.folder.path / "cells" / "plain-2-13" / "checkpoints"
    work.mkdir(parents=True)
    run.run()
    assert not work.parent.exists()


def test_another_configuration_under_the_same_name(start: Start) -> None:
    start()[0].run()
    with pytest.raises(StudyError, match=r"another configuration.*different: seeds, sizes"):
        start(seeds=[1], sizes=[2])[0].run()


def test_changed_data_under_the_same_name(start: Start, tmp_path: Path) -> None:
    start()[0].run()
    write_reviews(tmp_path / "reviews.csv", rows=95)
    with pytest.raises(StudyError, match="has changed since"):
        start()[0].run()


def test_two_runs_of_one_folder(start: Start) -> None:
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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"sizes": [2, 50]},
            r"test.yaml: sizes.1: 50 labelled examples a class.*train has \d+ of the",
        ),
        ({"dev_per_class": 40}, r"test.yaml: dev_per_class: 40 labelled.*dev has \d+ of the"),
        (
            {"methods": [method(calibration=["none", "pmi"])]},
            r"methods.0, 'plain' \(template\): stands for more than one candidate.*calibration",
        ),
        (
            {"methods": [method(), method(name="d", kind="demonstrations", count=[9])]},
            r"methods.1, 'd' \(demonstrations\): 9 demonstrations.*with 2 labelled examples",
        ),
        (
            {"methods": [method(templates=[TEMPLATE | {"answers": {"negative": "bad"}}])]},
            r"methods.0, 'plain'",
        ),
        ({"task": {"data": "reviews.csv", "metric": "acuracy"}}, r"task"),
    ],
)
def test_refused_before_anything_is_computed(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run, heard = start(**changes)
    with pytest.raises(StudyError, match=told):
        run.run()
    assert not heard
    assert not run.folder.path.exists()
