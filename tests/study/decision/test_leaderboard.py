"""What a study writes stays small with many labels, and is read in both forms."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import DataError
from promptlab.evaluation.failure_log import FailureLog
from promptlab.evaluation.failure_records import TABLES
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.study.decision.leaderboard import confusion_matrix, failure_lines
from promptlab.study.report import plots


class Says:
    """As much of a predictor as a failure log asks for."""

    def __init__(self, labels: list[str]) -> None:
        self.verbalizer = Verbalizer({label: f"word {label}" for label in labels})

    def example_prompt(self, example: Example) -> str:
        return f"{example.fields['text']} It was {{mask}}."


def many(count: int) -> tuple[Task, Predictions, Any]:
    """A task of so many labels, two dev examples each, half of them predicted wrongly."""
    chance = random.Random(3)
    labels = [f"label-{number:04d}" for number in range(count)]
    dev = tuple(
        Example(f"{label}-{n}", {"text": f"text {n} of {label}"}, label)
        for label in labels
        for n in range(2)
    )
    rows = [
        Prediction(
            example.id,
            chance.choice(labels) if chance.random() < 0.5 else example.label,
            example.label,
            scores={label: -10 * chance.random() for label in labels},
        )
        for example in dev
    ]
    task = Task("many", (), dev, (), labels=tuple(labels))
    return task, Predictions(rows), Says(labels)


def write(folder: Path, task: Task, rows: Predictions, winner: Any) -> Path:
    lines, answers = failure_lines(task, winner, rows)
    (folder / "failures.jsonl").write_text(lines)
    if answers:
        (folder / TABLES).write_text(json.dumps(answers, indent=2))
    return folder / "failures.jsonl"


def test_a_thousand_labels_make_neither_a_large_board_nor_a_large_log(tmp_path: Path) -> None:
    task, rows, winner = many(1000)
    found = confusion_matrix(task, rows)
    assert found is not None
    assert len(json.dumps(found, indent=2)) < 300_000  # 11 MB as a matrix
    log = write(tmp_path, task, rows, winner)
    assert len(log.read_text().splitlines()) > 900
    assert log.stat().st_size < 1_500_000  # 54 MB with all scores and answers in every line
    assert (tmp_path / TABLES).stat().st_size < 60_000


def test_what_is_left_out_is_what_nobody_asks_for(tmp_path: Path) -> None:
    task, rows, winner = many(60)
    log = FailureLog(write(tmp_path, task, rows, winner))
    by_id = {row.example_id: row for row in rows}
    for failure in log.failures:
        whole = by_id[failure.example_id].scores or {}
        kept = failure.scores or {}
        best = sorted(whole, key=lambda label: -whole[label])[:10]
        assert {failure.expected, failure.actual, *best} == set(kept)
        assert all(whole[label] == value for label, value in kept.items())
        assert failure.answers == {label: f"word {label}" for label in task.labels}
    one = log.failures[0]
    other = next(label for label in task.labels if label not in (one.scores or {}))
    dialogues = log.correct(one.example_id, expected=other).fine_tuning_records()
    assert dialogues[0]["messages"][1]["content"] == f"word {other}"


def test_cells_are_the_matrix(tmp_path: Path) -> None:
    task, rows, _ = many(60)
    unparsed = Prediction(rows[0].example_id, None, rows[0].target, unparsed=True, text="?")
    rows = rows.with_answers(Predictions([unparsed]))
    found = confusion_matrix(task, rows)
    assert found is not None and "matrix" not in found
    labels = [*task.labels, "unparsed"]
    assert found["labels"] == labels
    counts = {(labels[row], labels[column]): n for row, column, n in found["cells"]}
    said = [(row.target, "unparsed" if row.unparsed else row.label) for row in rows]
    assert counts == {pair: said.count(pair) for pair in said}


def test_few_labels_are_written_as_ever(tmp_path: Path) -> None:
    task, rows, winner = many(3)
    found = confusion_matrix(task, rows)
    assert found is not None and sum(map(sum, found["matrix"])) == len(rows)
    lines, answers = failure_lines(task, winner, rows)
    assert not answers
    record = json.loads(lines.splitlines()[0])
    assert set(record["scores"]) == set(record["answers"]) == set(task.labels)


def test_a_label_called_unparsed_is_a_label() -> None:
    dev = (Example("a", {"text": "a"}, "unparsed"), Example("b", {"text": "b"}, "other"))
    task = Task("t", (), dev, (), labels=("other", "unparsed"))
    rows = Predictions([
        Prediction("a", "unparsed", "unparsed"),
        Prediction("b", None, "other", unparsed=True),
    ])  # fmt: skip
    assert confusion_matrix(task, rows) == {
        "labels": ["other", "unparsed", "unparsed"],
        "matrix": [[0, 0, 1], [0, 1, 0]],
    }


def test_the_report_reads_both_forms() -> None:
    matrix = {"labels": ["x", "y"], "matrix": [[8, 2], [0, 1]]}
    cells = {"labels": ["x", "y"], "cells": [[0, 0, 8], [0, 1, 2], [1, 1, 1]]}
    assert plots.confusion_grid(cells) == plots.confusion_grid(matrix)
    assert plots.confusion_grid({"labels": ["x"], "cells": []}) is None


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "are not in failure_answers.json beside the file"),
        ("{}", "are not in failure_answers.json beside the file"),
        ("[", "failure_answers.json cannot be read"),
        ("[]", "failure_answers.json cannot be read"),
        ('{"abc": {"a": "b"}}', "are not what was written"),
        ('{"abc": 3}', "are not what was written"),
    ],
)
def test_answers_that_are_lost_or_damaged_are_named(
    tmp_path: Path, content: str | None, told: str
) -> None:
    log = write(tmp_path, *many(60))
    if content is None:
        (tmp_path / TABLES).unlink()
    else:
        (tmp_path / TABLES).write_text(content)
    with pytest.raises(DataError, match=told):
        FailureLog(log)


def test_logs_of_earlier_versions_are_read(tmp_path: Path) -> None:
    task, _, _ = many(60)
    answers = {label: f"word {label}" for label in task.labels}
    scores = dict.fromkeys(task.labels, -1.0)
    said = {"expected": "label-0001", "actual": "label-0002", "prompt": "p"}
    record = said | {"example_id": "a", "fields": {"text": "t"}, "scores": scores}
    record |= {"answers": answers, "members": []}
    (tmp_path / "failures.jsonl").write_text(json.dumps(record) + "\n")
    (failure,) = FailureLog(tmp_path).failures
    assert failure.answers == answers and failure.scores == scores
