"""Learning curves through the real command line."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import subprocesses
from tests.helpers.command_line import Command, command, here, models, reviews  # noqa: F401 - fixtures
from tests.helpers.learning_curve_fixtures import TEMPLATE, curve_document, method
from tests.helpers.study_fixtures import write_study


@pytest.fixture
def curve(here: Path, reviews: Path, models: Path, command: Command) -> Command:
    """``curve(key=value)`` runs the curve with top-level keys changed."""
    model = {"name": str(models / "masked"), "device": "cpu", "dtype": "float32"}

    def run(*options: object, stays: bool = False, **changes: Any) -> Any:
        document = curve_document(reviews, model=model, **changes)
        path = write_study(here / "curve.yaml", document)
        return command("study", "run", path, *options, stays=stays)

    return run


def test_run_list_show_report_export(curve: Command, command: Command, here: Path) -> None:
    document = json.loads(curve("--json").out)
    assert document["kind"] == "learning_curve"
    assert json.loads(curve("--json").out) == document
    text = curve().out
    for part in ("accuracy by labels a class", "demonstrations", "All 18 cells are reported"):
        assert part in text
    assert json.loads(command("study", "show", "curve", "--json").out) == document
    assert command("study", "show", "curve").out == text
    (row,) = [r for r in json.loads(command("study", "list", "--json").out) if r["name"] == "curve"]
    assert (row["kind"], row["state"], row["trials"], row["best"]) == (
        "learning_curve", "decided", 18, None,
    )  # fmt: skip
    assert "curve" in command("study", "list").out
    report = here / "runs" / "curve" / "report.html"
    report.unlink()
    assert command("study", "report", "curve").out.strip() == "runs/curve/report.html"
    assert "Learning curve" in report.read_text()
    assert command("study", "export", "curve", "cells.csv").code == 0
    assert len((here / "cells.csv").read_text().splitlines()) == 19
    command("study", "export", "curve", "best").refuses("has no best")
    command("study", "show", "curve", "--trial", 3).refuses("learning curve", "no trials")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"sizes": [0, -2]}, ("line 14: sizes.1", "greater than or equal to 0")),
        ({"sizes": [0, 2, 99]}, ("line 15: sizes.2: 99 labelled", "train has")),
        ({"seeds": []}, ("seeds:", "at least 1")),
        ({"baseline": "head"}, ("baseline", "none of the methods", "plain")),
        ({"methods": [method(kind="soft_promt")]}, ("line 21", "unknown kind 'soft_promt'")),
        (
            {"methods": [method(templates=[TEMPLATE, "{text} So {mask}."])], "baseline": None},
            ("line 20", "methods.0, 'plain'"),
        ),
        (
            {"methods": [method(calibration=["none", "pmi"])]},
            ("line 20: methods.0, 'plain'", "more than one candidate", "calibration"),
        ),
        ({"methods": [method(), method()]}, ("two methods are called 'plain'",)),
        ({"candidates": []}, ("candidates: unknown key",)),
        ({"kind": "curve"}, ("line 1: kind", "'learning_curve'")),
    ],
)
def test_refused(curve: Command, here: Path, changes: Any, parts: tuple[str, ...]) -> None:
    curve(**changes).refuses("curve.yaml", *parts)
    assert not (here / "runs" / "curve").exists()


def test_options_that_a_curve_has_not(curve: Command) -> None:
    curve("--trials", 3).refuses("budget", "unknown key")
    curve("--storage", "sqlite:///x.db").refuses("--storage", "learning curve")


def test_killed_and_continued(curve: Command, here: Path) -> None:
    sizes = [0, 1, 2, 3, 4, 5, 6]
    curve(sizes=[99])  # writes the file alone: it is refused
    text = (here / "curve.yaml").read_text().replace("- 99", "\n".join(f"- {n}" for n in sizes))
    text = text.replace("block: 10", "block: 1").replace("- 2\n- name", "- 1\n- name")
    (here / "curve.yaml").write_text(text)
    run = ["study", "run", "curve.yaml", "--json"]
    cells = here / "runs" / "curve" / "cells"
    started = subprocesses.start(*run)
    deadline = time.monotonic() + 300
    while started.runs and len(list(cells.glob("*.json"))) < 9 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert started.kill(), "the run was too quick to be killed"
    kept = {path: path.stat().st_mtime_ns for path in cells.glob("*.json")}
    out = here / "out"
    done = subprocesses.start(*run, out=out)
    assert done.code() == 0, done.said
    assert f"continuing: {len(kept)} of 42 cells are done" in done.said
    assert len(json.loads(out.read_text())["cells"]) == 42
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert not list(cells.rglob("*.partial"))
