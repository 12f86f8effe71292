"""The result document's parts: the result in words, tables and counts."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any

from promptlab.ensemble.panel import Panel, plain
from promptlab.example import Example
from promptlab.failure import Asked, Failure
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.statistics import Comparison
from promptlab.study.state import StudyState
from promptlab.task import Task

ALPHA = 0.05
"""A difference with a corrected p-value below this is called distinguishable."""


def statements(objective: str, board: dict[str, Any], comparison: Comparison) -> list[str]:
    """The result in plain sentences."""
    best = board["best"]
    name, test = objective, best["test"]
    told = [
        f"Trial {best['number']} ({best['name']}) is best on dev with {name} "
        f"{best['dev'][name]:.3f}; on the untouched test split it has {test[name]:.3f} "
        f"(accuracy {test['accuracy']:.3f}, 95 % interval {test['ci95'][0]:.3f} to "
        f"{test['ci95'][1]:.3f}, n = {test['n']})."
    ]
    told.append(
        f"On test it is {verdict(comparison)} the majority baseline ({comparison.test}, "
        f"p = {comparison.p_value:.2g}, {comparison.n_discordant} discordant examples)."
    )
    rows = [row for row in board["trials"] if row["state"] == "complete"]
    own = rows[0]["tokens_per_example"]
    equal = [row for row in rows[1:] if not row["distinguishable"]]
    cheaper = [row for row in equal if row["tokens_per_example"] < own]
    if cheaper:
        row = min(cheaper, key=lambda r: r["tokens_per_example"])
        told.append(
            f"On dev it is not distinguishable from the cheaper trial {row['number']} "
            f"({row['name']}; {row['tokens_per_example']:.1f} instead of {own:.1f} tokens an "
            f"example, Holm-corrected p = {row['p_vs_best']:.2g})."
        )
    if rows[1:]:
        told.append(
            f"{len(rows) - 1 - len(equal)} of {len(rows) - 1} other trials are "
            "distinguishably worse on dev after Holm's correction."
        )
    return told


def verdict(comparison: Comparison) -> str:
    """A comparison in two or three words."""
    if comparison.p_value >= ALPHA:
        return "not distinguishable from"
    return "better than" if comparison.difference > 0 else "worse than"


def confusion(task: Task, rows: Predictions) -> dict[str, Any] | None:
    """Counts by true label (row) and predicted label (column; the last one is unparsed)."""
    if not task.labels:
        return None
    labels = list(task.labels)
    columns = [*labels, "unparsed"] if rows.unparsed_rate else labels
    counts = Counter((row.target, "unparsed" if row.unparsed else row.label) for row in rows)
    matrix = [[counts[target, found] for found in columns] for target in labels]
    return {"labels": columns, "matrix": matrix}


def task_facts(task: Task) -> dict[str, Any]:
    """What a reader of the leaderboard needs to know of the task."""
    return {
        "name": task.name,
        "metric": task.metric,
        "labels": list(task.labels),
        "n_train": len(task.train),
        "n_dev": len(task.dev),
        "n_test": len(task.test),
        "fingerprint": task.fingerprint,
    }


def leaderboard_csv(rows: list[dict[str, Any]]) -> str:
    """The leaderboard as CSV, a row a trial."""
    columns = ["number", "state", "kind", "name", "accuracy", "low", "high", "n", "p_vs_best",
               "unparsed_rate", "errors", "tokens_per_example", "seconds", "prompt"]  # fmt: skip
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        dev = row["dev"] or {}
        low, high = dev.get("ci95") or (None, None)
        writer.writerow(
            row | {"accuracy": dev.get("accuracy"), "low": low, "high": high, "n": dev.get("n")}
        )
    return stream.getvalue()


def failure_lines(state: StudyState, winner: Predictor, dev: Predictions) -> str:
    """The winner's misses on dev, as JSON Lines: what may be looked at when prompts are mended."""
    examples = {example.id: example for example in state.examples}
    lines = []
    for row in dev.failures():
        example = examples[row.example_id]
        failure = Failure.of(row, example, asked_of(winner, example), "dev")
        lines.append(json.dumps(failure.record(), ensure_ascii=False))
    return "".join(line + "\n" for line in lines)


def asked_of(predictor: Predictor, example: Example) -> list[Asked]:
    """What a predictor asks about an example: its prompt, or those of an ensemble's members."""
    if isinstance(predictor, Panel):
        members = zip(predictor.names, predictor.members, strict=True)
        return [
            replace(one, name=name)
            for name, member in members
            for one in asked_of(plain(member), example)
        ]
    inner: Any = predictor
    while not hasattr(inner, "verbalizer") and hasattr(inner, "inner"):
        inner = inner.inner
    verbalizer = getattr(getattr(inner, "classifier", inner), "verbalizer", None)
    answers = {}
    if verbalizer is not None:
        answers = {label: verbalizer.first_answer(label) for label in verbalizer.labels}
    return [Asked(predictor.example_prompt(example), answers)]
