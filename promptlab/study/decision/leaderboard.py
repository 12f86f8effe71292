"""The result document's parts: the result in words, tables and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.evaluation.evaluation import sample_size_text
from promptlab.evaluation.failure import AskedPrompt, Failure
from promptlab.evaluation.failure_records import AnswerTables
from promptlab.evaluation.metrics import MeanMetric, get_metric
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.files.spreadsheet import csv_text
from promptlab.predictors.base import Predictor
from promptlab.predictors.ensemble.base import BaseEnsemble, unwrap_cached
from promptlab.security.untrusted_text import json_lines
from promptlab.study.decision.ranking import Ranking
from promptlab.study.decision.verdict import ALPHA
from promptlab.study.formatting import is_better
from promptlab.study.report.search_sentences import search_sentence

MATRIX_LABELS = 40
"""With more labels than this, a confusion matrix is written by its cells that are not empty."""


def result_sentences(board: dict[str, Any], ranking: Ranking) -> list[str]:
    """The result in plain sentences, beside the verdict."""
    best, name = board["best"], str(board["objective"])
    told = [search_sentence(board), _best_sentence(best, name)]
    told += _comparison_sentences(board)
    told += _ranking_sentences(board, ranking)
    rows = [row for row in board["trials"] if row["state"] == "complete"]
    if rows[1:]:
        worse = sum(bool(row["distinguishable"]) for row in rows[1:])
        told.append(
            f"{worse} of {len(rows) - 1} other trials are "
            "distinguishably worse on dev after Holm's correction."
        )
    told += [repeats_sentence(split, board["repeats"][split]) for split in ("dev", "test")]
    return [sentence for sentence in told if sentence]


def _best_sentence(best: dict[str, Any], name: str) -> str:
    dev, test = best["dev"], best["test"]
    told = (
        f"Trial {best['number']} ({best['name']}) is best on dev with {name} {dev[name]:.3f} "
        f"({sample_size_text(dev['n'], dev['n_missing'], dev['n_distinct'])})"
    )
    if test is None:
        return f"{told}; the test split has not been touched."
    return (
        f"{told}; on the untouched test split it has {test[name]:.3f} "
        f"(accuracy {test['accuracy']:.3f}, 95 % interval {test['ci95'][0]:.3f} to "
        f"{test['ci95'][1]:.3f}, "
        f"{sample_size_text(test['n'], test['n_missing'], test['n_distinct'])})."
    )


def _comparison_sentences(board: dict[str, Any]) -> list[str]:
    """The winner beside the controls on test."""
    told = []
    for row in board["comparisons"]:
        if "why" in row:
            continue
        words = {"majority": "the majority baseline", "bag-of-words": "a bag of words"}
        name = words.get(row["baseline"], row["baseline"])
        by = "" if row["measure"] == board["objective"] else f" by {row['measure']}"
        verdict = comparison_verdict(row, board["maximise"])
        told.append(
            f"On test it is {verdict} {name}{by} ({row['test']}, "
            f"p = {row['p_value']:.2g}, {row['n_discordant']} discordant examples of {row['n']})."
        )
    return told


def _ranking_sentences(board: dict[str, Any], ranking: Ranking) -> list[str]:
    """Ties for the first place, and trials that stand by the examples both have answered."""
    told = []
    if ranking.tied:
        others = ", ".join(f"trial {trial.number}" for trial in ranking.tied[:3])
        more = f" and {len(ranking.tied) - 3} more" if len(ranking.tied) > 3 else ""
        told.append(
            f"It is tied for the first place with {others}{more}: among equals the one that takes "
            "fewer tokens, then the earlier one, stands first."
        )
    gaps = [t for t in ranking.trials if ranking.tables[t.number].n_missing]
    if gaps:
        told.append(
            f"{len(gaps)} of {len(ranking.trials)} trials were not answered on all dev examples; "
            "what is missing is neither right nor wrong, and their places follow from the "
            f"examples that they and trial {ranking.anchor} have both answered."
        )
    return told


def comparison_verdict(comparison: Mapping[str, Any], maximise: bool) -> str:
    """A comparison in two or three words."""
    if comparison["test"] == "not_compared":
        return "not compared with"
    if comparison["p_value"] >= ALPHA:
        return "not distinguishable from"
    return "better than" if is_better(comparison, maximise) else "worse than"


def repeat_counts(examples: Sequence[Example]) -> dict[str, int]:
    """How many examples of a split there are, and how many different texts."""
    return {"rows": len(examples), "distinct": len({text_key(e) for e in examples})}


def repeated_ids(examples: Sequence[Example]) -> dict[str, str]:
    """The id of the first example with the same text, for every example whose text repeats."""
    groups: dict[str, list[str]] = {}
    for example in examples:
        groups.setdefault(text_key(example), []).append(example.id)
    return {one: ids[0] for ids in groups.values() if len(ids) > 1 for one in ids}


def repeats_sentence(split: str, counts: Mapping[str, int]) -> str:
    """Repeated texts of a split in a sentence; empty without any."""
    if counts["distinct"] == counts["rows"]:
        return ""
    return (
        f"{split}: {counts['rows']:,} rows, {counts['distinct']:,} distinct texts; tests and "
        "intervals count a text once."
    )


def confusion_matrix(task: Task, rows: Predictions) -> dict[str, Any] | None:
    """Counts by true label (row) and predicted label (column; the last one is unparsed).

    A ``matrix``, or for many labels the ``cells`` that are not empty: row, column and count.
    """
    if not task.labels:
        return None
    labels = list(task.labels)
    columns = [*labels, "unparsed"] if rows.unparsed_rate else labels
    rows = rows.answered
    places = {label: place for place, label in enumerate(labels)}
    counts = Counter(
        (places.get(str(row.target)), len(labels) if row.unparsed else places.get(str(row.label)))
        for row in rows
    )
    if len(labels) > MATRIX_LABELS:  # nearly all of so many cells are empty
        cells = [[*place, count] for place, count in counts.items() if None not in place]
        return {"labels": columns, "cells": sorted(cells)}
    matrix = [[counts[row, found] for found in range(len(columns))] for row in range(len(labels))]
    return {"labels": columns, "matrix": matrix}


def task_facts(task: Task) -> dict[str, Any]:
    """What a reader of the leaderboard needs to know of the task."""
    return {
        "name": task.name,
        "metric": task.metric,
        "normalization": get_metric(task.metric).normalization,
        "labels": list(task.labels),
        "n_train": len(task.train),
        "n_dev": len(task.dev),
        "n_test": len(task.test),
        "fingerprint": task.fingerprint,
    }


def leaderboard_csv(rows: list[dict[str, Any]]) -> str:
    """The leaderboard as CSV, a row a trial; no cell can be run as a formula."""
    columns = [
        *("number", "state", "kind", "name", "accuracy", "low", "high", "n", "n_missing"),
        *("p_vs_best", "unparsed_rate", "errors", "tokens_per_example", "seconds", "prompt"),
    ]
    told = []
    for row in rows:
        dev = row["dev"] or {}
        low, high = dev.get("ci95") or (None, None)
        cells = (
            row
            | {"accuracy": dev.get("accuracy"), "low": low, "high": high}
            | {"n": dev.get("n"), "n_missing": dev.get("n_missing")}
        )
        told.append([cells.get(name) for name in columns])
    return csv_text(columns, told)


def failure_lines(
    task: Task, winner: Predictor, dev: Predictions
) -> tuple[str, dict[str, dict[str, str]]]:
    """The winner's misses on dev, as JSON Lines: what may be looked at when prompts are mended.

    Beside them the answers of many labels, which the lines name by their hash.
    """
    examples = {example.id: example for example in task.dev}
    shared = AnswerTables()
    records = []
    for row in wrong_predictions(dev, task):
        example = examples[row.example_id]
        failure = Failure.from_prediction(row, example, recorded_prompts(winner, example), "dev")
        records.append(shared.sparse(failure.record()))
    return json_lines(records), shared.tables


def wrong_predictions(rows: Predictions, task: Task) -> list[Prediction]:
    """The rows that are wrong; open answers are as wrong as the task's metric says."""
    wrong = rows.failures()
    metric = get_metric(task.metric)
    if task.labels or not len(wrong) or not isinstance(metric, MeanMetric):
        return list(wrong)
    values = metric.per_example(wrong)
    return [row for row, value in zip(wrong, values, strict=True) if value < 1]


def unanswered_lines(tables: Mapping[str, Predictions]) -> str:
    """Examples without an answer by split, as JSON Lines: they are no failures."""
    return json_lines(
        {"example_id": row.example_id, "split": split, "error": row.error}
        for split, rows in tables.items()
        for row in rows
        if row.missing
    )


def recorded_prompts(predictor: Predictor, example: Example) -> list[AskedPrompt]:
    """What a predictor asks about an example: its prompt, or those of an ensemble's members."""
    if isinstance(predictor, BaseEnsemble):
        members = zip(predictor.names, predictor.members, strict=True)
        return [
            replace(one, name=name)
            for name, member in members
            for one in recorded_prompts(unwrap_cached(member), example)
        ]
    inner: Any = predictor
    while not hasattr(inner, "verbalizer") and hasattr(inner, "inner"):
        inner = inner.inner
    verbalizer = getattr(getattr(inner, "classifier", inner), "verbalizer", None)
    answers = {}
    if verbalizer is not None:
        answers = {label: verbalizer.first_answer(label) for label in verbalizer.labels}
    return [AskedPrompt(predictor.example_prompt(example), answers)]
