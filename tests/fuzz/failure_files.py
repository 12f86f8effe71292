"""Failure logs, corrections and regression suites from somebody else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.evaluation import FailureLog
from promptlab.study.decision.regression import read_regression_suite
from tests.fuzz._mutations import mutated_bytes, mutated_value
from tests.fuzz.harness import Attempt

_FAILURES: list[Any] = [
    {"example_id": f"e{n}", "fields": {"text": "good"}, "prompt": "good It was", "expected": "a",
     "actual": "b", "scores": {"a": -1.0, "b": -0.5}, "unparsed": False, "error": None,
     "members": [{"prompt": "p", "answers": {"a": "x"}, "name": "m"}], "trace": {"steps": []}}
    for n in range(3)
]  # fmt: skip
_CORRECTIONS: list[Any] = [{"example_id": "e1", "expected": "b", "accept": False, "note": ""}]
_SUITE: list[Any] = [{"id": "e1", "fields": {"text": "good"}, "label": "a", "source": "study"}]
_BOARD: Any = {"study": "x", "task": {"labels": ["a", "b"], "metric": "accuracy"}}


def attempts(rng: random.Random, folder: Path) -> Iterator[Attempt]:
    """A log, its corrections, the board beside it, or a suite, with something wrong."""
    task = Task(
        name="x",
        train=(Example("t1", {"text": "bad"}, "b"), Example("t2", {"text": "good"}, "a")),
        dev=(Example("d1", {"text": "fine"}, "a"),),
        test=(Example("f1", {"text": "poor"}, "b"),),
        labels=("a", "b"),
    )
    files = {
        "failures.jsonl": _FAILURES, "corrections.jsonl": _CORRECTIONS,
        "suite.jsonl": _SUITE, "leaderboard.json": [_BOARD],
    }  # fmt: skip
    while True:
        name = rng.choice(list(files))
        if rng.random() < 0.5:
            data = mutated_bytes(rng, _lines(files[name]))
        else:
            data = _lines([mutated_value(rng, one) for one in files[name]])
        yield f"{name} {data[:200]!r}", _attempt(folder, name, data, files, task)


def _lines(records: list[Any]) -> bytes:
    return "\n".join(json.dumps(one) for one in records).encode() + b"\n"


def _attempt(
    folder: Path, name: str, data: bytes, files: dict[str, list[Any]], task: Task
) -> Callable[[], object]:
    def attempt() -> None:
        for other, records in files.items():
            (folder / other).write_bytes(data if other == name else _lines(records))
        if name == "suite.jsonl":
            read_regression_suite(str(folder / name), task)
            return
        log = FailureLog(folder / "failures.jsonl")
        _ = log.labels
        for one in list(log.failures):
            log.correct(one.example_id, expected="b", note="x")
        log.fine_tuning_records()
        log.regression_records()

    return attempt
