"""What a learning curve has found: means with intervals, comparisons, and the document."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.data.duplicates import text_key
from promptlab.data.task import Task
from promptlab.evaluation.distinct_texts import text_means
from promptlab.evaluation.evaluation import Texts
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import (
    Comparison,
    holm,
    mcnemar_exact,
    paired_bootstrap,
    t_interval,
)
from promptlab.files.spreadsheet import csv_text
from promptlab.predictors.candidate import Candidate
from promptlab.study.decision.leaderboard import task_facts
from promptlab.study.decision.verdict import ALPHA
from promptlab.study.learning_curve.cells import CHECKSUM, CellFiles, CellResult
from promptlab.study.report.curve_sentences import curve_statements
from promptlab.study.spec.curve_spec import LEARNING_CURVE, CurveSpec
from promptlab.study.spec.objective import Objective, make_objective


def curve_document(
    spec: CurveSpec,
    task: Task,
    model: Mapping[str, Any],
    candidates: Mapping[str, Candidate],
    found: Sequence[CellResult],
    files: CellFiles,
) -> dict[str, Any]:
    """The result document: every cell, the curves, the comparisons and the result in words."""
    document: dict[str, Any] = {
        "study": spec.study,
        "kind": LEARNING_CURVE,
        "description": spec.description,
        "task": task_facts(task),
        "model": dict(model),
        "objective": task.metric,
        "maximise": make_objective(task.metric).maximise,
        "sizes": sorted(spec.sizes),
        "seeds": spec.seeds,
        "dev_per_class": spec.dev_per_class,
        "baseline": spec.baseline,
        "methods": [
            {"name": name, "kind": candidate.kind, "candidate": candidate.settings}
            for name, candidate in candidates.items()
        ],
        "cells": [cell.row() for cell in found],
        "curves": curve_rows(list(candidates), spec.sizes, found),
        "comparisons": _comparisons(spec, task, found, files),
        "tokens": sum(cell.tokens for cell in found),
        "seconds": sum(cell.seconds for cell in found),
    }
    document["n_missing"] = sum(cell.n_missing for cell in found if cell.repeats is None)
    document["statements"] = curve_statements(document)
    return document


def curve_table(found: Sequence[CellResult]) -> str:
    """The cells as CSV; none can be run as a formula."""
    columns = [name for name in CellResult.__dataclass_fields__ if name != CHECKSUM]
    return csv_text(columns, [[cell.row()[name] for name in columns] for cell in found])


def curve_rows(
    methods: Sequence[str], sizes: Sequence[int], found: Sequence[CellResult]
) -> list[dict[str, Any]]:
    """A row for every method and size that have a value, in the methods' order."""
    return [
        row
        for method in methods
        for size in sorted(sizes)
        if (row := _curve_row(method, size, found)) is not None
    ]


def _curve_row(method: str, size: int, found: Sequence[CellResult]) -> dict[str, Any] | None:
    """Mean, standard deviation and Student's 95 % interval of the mean over the seeds.

    Seeds that repeat another's work tell nothing of the spread: they do not count.
    """
    values = [
        cell.value
        for cell in found
        if (cell.method, cell.size) == (method, size)
        and cell.value is not None
        and cell.repeats is None
    ]
    if not values:
        return None
    low, high = t_interval(values) if len(values) > 1 else (None, None)
    return {
        "method": method,
        "size": size,
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
        "low": low,
        "high": high,
        "n_seeds": len(values),
    }


def _comparisons(
    spec: CurveSpec, task: Task, found: Sequence[CellResult], files: CellFiles
) -> list[dict[str, Any]]:
    """Every method with the baseline at every size at which both have values, Holm over all."""
    if spec.baseline is None:
        return []
    objective = make_objective(task.metric)
    texts = {example.id: text_key(example) for example in task.test}
    known = {(cell.method, cell.size, cell.seed): cell for cell in found if cell.complete}
    rows: list[dict[str, Any]] = []
    for method in spec.methods:
        for size in sorted(spec.sizes):
            pairs = [
                (known[method.name, size, seed], known[spec.baseline, size, seed])
                for seed in spec.seeds
                if (method.name, size, seed) in known and (spec.baseline, size, seed) in known
            ]
            if method.name == spec.baseline or not pairs:
                continue
            tables = [(files.predictions(a), files.predictions(b)) for a, b in pairs]
            measure, made = _compare(objective, tables, spec.seed, texts)
            rows.append(
                {
                    "method": method.name,
                    "baseline": spec.baseline,
                    "size": size,
                    "measure": measure,
                    "test": made.test,
                    "n": made.n,
                    "n_seeds": len(pairs),
                    "n_discordant": made.n_discordant,
                    "difference": made.difference,
                    "ci95": list(made.ci95),
                    "p_value": made.p_value,
                }
            )
    corrected = holm([float(row["p_value"]) for row in rows])
    for row, p_value in zip(rows, corrected, strict=True):
        row["p_holm"] = p_value
        row["distinguishable"] = p_value < ALPHA
    return rows


def _compare(
    objective: Objective,
    tables: Sequence[tuple[Predictions, Predictions]],
    seed: int,
    texts: Texts,
) -> tuple[str, Comparison]:
    """One paired test of two methods over the seeds they share, and what was compared.

    With v(m, s, i) the value of example i under method m fitted on draw s, each example has one
    difference d(i) = mean over s of v(a, s, i) - mean over s of v(b, s, i): its runs are not
    independent, so they are averaged, not counted. The examples are resampled (paired bootstrap).
    The test is of these draws: what another draw would do is seen in the bands. With one seed
    and right or wrong answers it is McNemar's exact test. A metric that is no mean over examples
    is compared by accuracy. Examples that one of the runs did not answer are left out, and of
    examples with the same text the mean is taken, so that it counts once.
    """
    measure = objective.name
    tables = _answered_by_all(tables)
    if not len(tables[0][0]):
        return measure, Comparison("not_compared", 1.0, 0, 0.0, (-1.0, 1.0), 0, measure)
    columns = [(objective.per_example(a), objective.per_example(b)) for a, b in tables]
    values = [(a, b) for a, b in columns if a is not None and b is not None]
    if len(values) < len(tables):
        measure = "accuracy"
        values = [(list(map(float, a.correct)), list(map(float, b.correct))) for a, b in tables]
    keys = [texts.get(row.example_id, row.example_id) for row in tables[0][0]]
    first, second = (
        text_means(_mean_over_seeds([pair[side] for pair in values]), keys) for side in (0, 1)
    )
    if measure == "accuracy" and len(tables) == 1 and set(first) | set(second) <= {0.0, 1.0}:
        return measure, mcnemar_exact([v == 1 for v in first], [v == 1 for v in second])
    return measure, paired_bootstrap(first, second, seed)


def _answered_by_all(
    tables: Sequence[tuple[Predictions, Predictions]],
) -> list[tuple[Predictions, Predictions]]:
    """The rows of the examples that both methods answered with every seed."""
    every = [rows for pair in tables for rows in pair]
    if not any(rows.n_missing for rows in every):
        return list(tables)
    common = set.intersection(*({row.example_id for row in rows.answered} for rows in every))
    first, second = (
        [Predictions(r for r in pair[side] if r.example_id in common) for pair in tables]
        for side in (0, 1)
    )
    return list(zip(first, second, strict=True))


def _mean_over_seeds(columns: Sequence[Sequence[float]]) -> list[float]:
    """One value an example; exact where all seeds agree, so that equals stay equal."""
    rows: list[tuple[float, ...]] = list(zip(*columns, strict=True))
    return [statistics.fmean(values) for values in rows]
