"""Texts that were cut to a model's window are counted and told."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import promptlab as pl
from promptlab.batch import BatchPrediction
from promptlab.evaluation.predictions import Prediction
from promptlab.evaluation.truncation_count import (
    TruncationCount,
    count_truncations,
    truncation_facts,
)
from promptlab.models.local import LocalModel
from tests.helpers.study_run_fixtures import start  # noqa: F401 - a fixture


def row(trace: Any) -> Prediction:
    return Prediction("1", "a", "a", trace=trace)


def test_cuts_are_counted_by_traces() -> None:
    rows = [
        row(None),
        row({"steps": []}),
        row({"shortened": ["text"], "cut_tokens": 70}),
        row({"shortened": ["text", "title"], "cut_tokens": 30}),
        row({"shortened": ["text"]}),  # of an earlier version
        row([1]),
    ]
    found = count_truncations(rows)
    assert found == TruncationCount(3, 100)
    assert found.sentence(6) == (
        "3 of 6 examples do not fit the model's window: their texts were cut, 100 tokens were not "
        "read"
    )
    assert TruncationCount().sentence(6) == ""
    facts = truncation_facts([r.trace for r in rows])
    assert facts == {"shortened": ["text", "title"], "cut_tokens": 100}


@pytest.fixture
def narrow(masked: LocalModel, monkeypatch: pytest.MonkeyPatch) -> LocalModel:
    """A model that reads few tokens."""
    monkeypatch.setattr(masked, "max_tokens", 100)
    return masked


def test_a_study_tells_what_it_cut(
    start: Callable[..., Any],
    narrow: LocalModel,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from promptlab.cli.leaderboard import print_leaderboard

    data = tmp_path / "long.csv"
    with (tmp_path / "reviews.csv").open(encoding="utf-8") as given, data.open("w") as out:
        rows = list(csv.DictReader(given))
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        for number, line in enumerate(rows):
            more = "the film was good . " * 60 if number % 3 == 0 else ""
            writer.writerow(line | {"text": f"{number} {more}{line['text']}"})
    task = {"data": str(data), "train": 20, "dev": 30, "test": 40}
    run, _ = start(task=task, study="long")
    board = run.run()
    cut = board["cut"]["dev"]
    assert 0 < cut["examples"] < 30
    assert cut["tokens"] > 20 * cut["examples"]
    assert board["trials"][0]["cut"] == cut
    told = TruncationCount(**cut).sentence(30)
    assert f"The winner on dev: {told}." in board["statements"]
    capsys.readouterr()
    print_leaderboard(board, run.folder.path)
    assert told in " ".join(capsys.readouterr().out.split())
    assert told in run.folder.report_file.read_text().replace("&#39;", "'")


def test_predict_tells_what_it_cut(narrow: LocalModel) -> None:
    classifier = pl.PromptClassifier(
        pl.Template("{text} It was {mask}."),
        pl.Verbalizer({"positive": "good", "negative": "bad"}),
        narrow,
    )
    texts = [{"text": "the film was good . " * times} for times in (1, 40, 80)]
    batch = BatchPrediction(classifier, texts)
    for _ in batch.blocks():
        pass
    cut = batch.summary()["cut"]
    assert cut["examples"] == 2
    assert cut["tokens"] > 100
    assert json.dumps(cut)
