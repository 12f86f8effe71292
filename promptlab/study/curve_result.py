"""What a learning curve has found: means with intervals, comparisons, and the document."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from promptlab.candidate import Candidate
from promptlab.predictions import Predictions
from promptlab.statistics import Comparison, holm, mcnemar_exact, paired_bootstrap, t_interval
from promptlab.study.board import ALPHA, task_facts
from promptlab.study.curve_cell import CellFiles, Found
from promptlab.study.curve_spec import LEARNING_CURVE, CurveSpec
from promptlab.study.curve_words import curve_statements
from promptlab.study.objective import Objective, make_objective
from promptlab.task import Task


def curve_document(
    spec: CurveSpec,
    task: Task,
    model: Mapping[str, Any],
    candidates: Mapping[str, Candidate],
    found: Sequence[Found],
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
    document["statements"] = curve_statements(document)
    return document


def curve_table(found: Sequence[Found]) -> str:
    """The cells as CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(Found.__dataclass_fields__))
    writer.writeheader()
    writer.writerows(cell.row() for cell in found)
    return stream.getvalue()


def curve_rows(
    methods: Sequence[str], sizes: Sequence[int], found: Sequence[Found]
) -> list[dict[str, Any]]:
    """A row for every method and size that have a value, in the methods' order."""
    return [
        row
        for method in methods
        for size in sorted(sizes)
        if (row := _curve_row(method, size, found)) is not None
    ]


def _curve_row(method: str, size: int, found: Sequence[Found]) -> dict[str, Any] | None:
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
    spec: CurveSpec, task: Task, found: Sequence[Found], files: CellFiles
) -> list[dict[str, Any]]:
    """Every method with the baseline at every size at which both have values, Holm over all."""
    if spec.baseline is None:
        return []
    objective = make_objective(task.metric)
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
            measure, made = _compare(objective, tables, spec.seed)
            rows.append(
                {
                    "method": method.name,
                    "baseline": spec.baseline,
                    "size": size,
                    "measure": measure,
                    "test": made.test,
                    "n": len(tables[0][0]),
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
    objective: Objective, tables: Sequence[tuple[Predictions, Predictions]], seed: int
) -> tuple[str, Comparison]:
    """One paired test of two methods over the seeds they share, and what was compared.

    With v(m, s, i) the value of example i under method m fitted on draw s, each example has one
    difference d(i) = mean over s of v(a, s, i) - mean over s of v(b, s, i): its runs are not
    independent, so they are averaged, not counted. The examples are resampled (paired bootstrap).
    The test is of these draws: what another draw would do is seen in the bands. With one seed
    and right or wrong answers it is McNemar's exact test. A metric that is no mean over examples
    is compared by accuracy.
    """
    measure = objective.name
    columns = [(objective.per_example(a), objective.per_example(b)) for a, b in tables]
    values = [(a, b) for a, b in columns if a is not None and b is not None]
    if len(values) < len(tables):
        measure = "accuracy"
        values = [(list(map(float, a.correct)), list(map(float, b.correct))) for a, b in tables]
    if measure == "accuracy" and len(tables) == 1:
        return measure, mcnemar_exact(tables[0][0].correct, tables[0][1].correct)
    first, second = (_mean_over_seeds([pair[side] for pair in values]) for side in (0, 1))
    return measure, paired_bootstrap(first, second, seed)


def _mean_over_seeds(columns: Sequence[Sequence[float]]) -> list[float]:
    """One value an example; exact where all seeds agree, so that equals stay equal."""
    rows: list[tuple[float, ...]] = list(zip(*columns, strict=True))
    return [statistics.fmean(values) for values in rows]
