"""A study over a file whose rows repeat: told, and counted once in tests and intervals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptlab.evaluation.statistics import wilson_interval
from promptlab.study.comparison import compare_studies
from tests.helpers.study_run_fixtures import start  # noqa: F401 - a fixture


def test_rows_that_repeat_make_nothing_surer(
    start: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from promptlab.cli.leaderboard import print_leaderboard

    start(study="plain")  # writes the reviews
    with (tmp_path / "reviews.csv").open(encoding="utf-8") as given:
        rows = list(csv.DictReader(given))
    data = tmp_path / "copied.csv"
    with data.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerows([row] * 5)
    task = {"data": str(data), "train": 100, "dev": 150, "test": 200}
    run, _ = start(study="copied", task=task)
    board = run.run()
    dev, test = (board["best"][split] for split in ("dev", "test"))
    for found, split in ((dev, "dev"), (test, "test")):
        counts = board["repeats"][split]
        assert (found["n"], found["n_distinct"]) == (counts["rows"], counts["distinct"])
        assert found["n_distinct"] * 4 < found["n"]
        told = f"{split}: {counts['rows']:,} rows, {counts['distinct']:,} distinct texts"
        assert any(text.startswith(told) for text in board["statements"])
        assert f"{counts['rows']} examples, {counts['distinct']} distinct texts" in (
            run.folder.report_file.read_text()
        )
    # much wider than if every row were a text of its own
    width = dev["ci95"][1] - dev["ci95"][0]
    low, high = wilson_interval(round(dev["accuracy"] * dev["n"]), dev["n"])
    assert width > 1.3 * (high - low)
    majority = board["comparisons"][0]
    assert majority["n"] == test["n_distinct"]
    assert majority["n_discordant"] <= test["n_distinct"]
    capsys.readouterr()
    print_leaderboard(board, run.folder.path)
    assert "distinct texts" in " ".join(capsys.readouterr().out.split())
    kept = json.loads((run.folder.path / "repeats.json").read_text())
    assert len(kept) == test["n"]
    assert len(set(kept.values())) == test["n_distinct"]
    twin, _ = start(study="twin", task=task, seed=14)
    twin.run()
    (pair,) = compare_studies([run.folder.path, twin.folder.path]).pairs
    assert pair.n == test["n_distinct"]
