"""Comparisons over seeds and sizes, and the curve in words."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.evaluation.predictions import Prediction, Predictions
from promptlab.evaluation.statistics import holm, mcnemar_exact, paired_bootstrap, t_interval
from promptlab.study.learning_curve.cells import CellFiles, CellResult
from promptlab.study.learning_curve.result import curve_document as result_of
from promptlab.study.report.curve_sentences import curve_statements
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec
from tests.helpers.learning_curve_fixtures import curve_document, method

N = 60


def rows(right: list[bool]) -> Predictions:
    return Predictions(Prediction(str(i), "a" if ok else "b", "a") for i, ok in enumerate(right))


def material(tmp_path: Path, metric: str, shares: dict[tuple[str, int, int], float]) -> Any:
    """A result document over invented predictions: ``shares`` of them are right."""
    names = list(dict.fromkeys(name for name, _, _ in shares))
    document = curve_document(
        Path("x.csv"),
        methods=[method(name=name) for name in names],
        baseline=names[-1],
        sizes=sorted({size for _, size, _ in shares}),
        seeds=sorted({seed for _, _, seed in shares}),
    )
    spec = load_spec(document, source="test")
    assert isinstance(spec, CurveSpec)
    task = Task(
        "t",
        (Example("x", {"text": "x"}, "a"),),
        (Example("y", {"text": "y"}, "a"),),
        tuple(Example(str(i), {"text": str(i)}, "a") for i in range(N)),
        ("a", "b"),
        metric,
    )
    files = CellFiles(tmp_path, spec.slugs)
    draw = random.Random(1)
    found, tables = [], {}
    for (name, size, seed), share in shares.items():
        table = rows([draw.random() < share for _ in range(N)])
        value = sum(table.correct) / N
        found.append(CellResult(name, size, seed, "complete", n=N, value=value))
        files.write(found[-1], table)
        tables[name, size, seed] = table
    return result_of(spec, task, {"name": "m"}, {}, found, files), tables, spec


def test_seeds_are_averaged_before_examples_are_drawn(tmp_path: Path) -> None:
    shares = {(m, 4, s): p for m, p in (("a", 0.9), ("b", 0.5)) for s in (1, 2, 3)}
    document, tables, spec = material(tmp_path, "accuracy", shares)
    (row,) = document["comparisons"]
    means = [
        [sum(tables[m, 4, s].correct[i] for s in (1, 2, 3)) / 3 for i in range(N)]
        for m in ("a", "b")
    ]
    expected = paired_bootstrap(*means, seed=spec.seed)
    assert (row["test"], row["n"], row["n_seeds"]) == ("paired_bootstrap", N, 3)
    assert row["p_value"] == expected.p_value
    assert row["difference"] == pytest.approx(expected.difference)
    assert row["distinguishable"]


def test_one_seed_is_mcnemars_test(tmp_path: Path) -> None:
    shares = {("a", 2, 1): 0.9, ("a", 4, 1): 0.6, ("b", 2, 1): 0.5, ("b", 4, 1): 0.5}
    document, tables, _ = material(tmp_path, "accuracy", shares)
    first, second = document["comparisons"]
    made = [mcnemar_exact(tables["a", s, 1].correct, tables["b", s, 1].correct) for s in (2, 4)]
    assert [first["p_value"], second["p_value"]] == [m.p_value for m in made]
    assert [first["p_holm"], second["p_holm"]] == holm([m.p_value for m in made])
    assert first["test"] == "mcnemar_exact"


def test_a_metric_that_is_no_mean_is_compared_by_accuracy(tmp_path: Path) -> None:
    shares = {(m, 4, s): p for m, p in (("a", 0.9), ("b", 0.5)) for s in (1, 2)}
    document, _, _ = material(tmp_path, "macro_f1", shares)
    (row,) = document["comparisons"]
    assert (document["objective"], row["measure"]) == ("macro_f1", "accuracy")


def test_equal_methods_differ_in_nothing(tmp_path: Path) -> None:
    shares = {(m, 4, s): 1.0 for m in ("a", "b") for s in (1, 2)}
    document, _, _ = material(tmp_path, "accuracy", shares)
    (row,) = document["comparisons"]
    assert (row["p_value"], row["difference"], row["distinguishable"]) == (1.0, 0.0, False)


def comparison(size: int, difference: float, p: float) -> dict[str, Any]:
    return {
        "method": "prompt", "baseline": "head", "size": size, "measure": "accuracy",
        "difference": difference, "p_holm": p, "distinguishable": p < 0.05,
    }  # fmt: skip


def cell(name: str, size: int, state: str = "complete", reason: str | None = None) -> Any:
    return {"method": name, "size": size, "seed": 13, "state": state, "reason": reason}


def test_who_leads_where_and_who_has_caught_up() -> None:
    sizes = (0, 16, 64, 128, 256)
    told = curve_statements(
        {
            "task": {"labels": ["a", "b"]},
            "objective": "accuracy",
            "maximise": True,
            "baseline": "head",
            "methods": [{"name": "prompt"}, {"name": "head"}],
            "curves": [
                {"method": "prompt", "size": 0, "mean": 0.68, "std": None, "low": None,
                 "high": None, "n_seeds": 1},
                {"method": "prompt", "size": 256, "mean": 0.87, "std": 0.1, "low": 0.7,
                 "high": 1.04, "n_seeds": 3},
            ],
            "comparisons": [
                comparison(16, 0.12, 0.001),
                comparison(64, 0.05, 0.02),
                comparison(128, 0.01, 0.4),
                comparison(256, -0.03, 0.01),
            ],
            "cells": [cell("prompt", s) for s in sizes]
            + [cell("head", 0, "needs examples", "no examples"), cell("head", 16, "failed", "x")],
        }
    )  # fmt: skip
    assert told == [
        "prompt: accuracy on test 68.0\u00a0% at 0 (one seed) and 87.0\u00a0% at 256 (3 seeds, "
        "95 % interval 70.0\u2013100.0\u00a0%) labels a class.",
        "head has no value at any size.",
        "At 0 labels a class only prompt answers.",
        "prompt leads head from 16 to 64 labels a class (+12.0 points at 16, p = 0.001).",
        "At 128 labels a class head has caught up: not distinguishable (+1.0 points at 128, "
        "p = 0.40).",
        "head leads prompt at 256 labels a class (-3.0 points at 256, p = 0.010).",
        "head needs examples and has no value without (no examples).",
        "1 of 2 cells of head failed; the first, at 16 with seed 13: x.",
        "All 7 cells are reported; nothing was chosen by the test split.",
    ]


def test_students_interval() -> None:
    low, high = t_interval([0.5, 0.6, 0.7])
    assert (low + high) / 2 == pytest.approx(0.6)
    assert high - 0.6 == pytest.approx(4.302652730 * 0.1 / 3**0.5)
    with pytest.raises(InputError, match="one value"):
        t_interval([0.5])
