"""Several predictors over the same examples, and paired tests between them."""

from __future__ import annotations

from typing import Any

import pytest

import promptlab as pl
from promptlab.data.task import Task
from promptlab.errors import Cancelled
from promptlab.evaluation.statistics import mcnemar_exact
from promptlab.models.local import LocalModel
from promptlab.predictors import ComparisonGrid, paired_tests

ANSWERS = {"negative": "bad", "positive": "good"}


def made(model: LocalModel, template: str, **options: Any) -> Any:
    return lambda: pl.PromptClassifier(template, ANSWERS, model, **options)


def test_a_grid_is_filled_block_by_block(causal: LocalModel, task: Task) -> None:
    makers = {
        "plain": made(causal, "{text} It was {mask}"),
        "shown": made(causal, "{text} {mask}", demonstrations=2, calibration="batch"),
        "broken": made(causal, "{nothing} {mask}"),
    }
    grid = ComparisonGrid(makers, task.dev, task.train)
    seen = [(name, grid.done) for name in grid.run()]
    assert seen[0] == ("plain", 0) and seen[-1][1] == grid.cells == 36
    assert [len(grid.columns[name]) for name in ("plain", "shown")] == [12, 12]
    assert list(grid.errors) == ["broken"] and "nothing" in str(grid.errors["broken"])
    expected = makers["shown"]().fit(task.train).predict(task.dev)
    assert grid.columns["shown"].labels == expected.labels


def test_a_grid_is_cancelled_between_blocks(causal: LocalModel, task: Task) -> None:
    grid = ComparisonGrid({"plain": made(causal, "{text} It was {mask}")}, task.dev)
    with pytest.raises(Cancelled):
        for _ in grid.run():
            if grid.done:
                grid.cancellation.request()
    assert len(grid.columns["plain"]) == 8
    with pytest.raises(pl.InputError, match="a grid needs"):
        ComparisonGrid({}, task.dev)


def column(right: str) -> pl.Predictions:
    """A table from ones (right) and zeros (wrong)."""
    return pl.Predictions(
        pl.Prediction(str(n), "yes" if c == "1" else "no", "yes") for n, c in enumerate(right)
    )


def test_pairs_are_tested_with_holm() -> None:
    columns = {"A": column("1" * 12), "B": column("1" * 4 + "0" * 8), "C": column("1" * 11 + "0")}
    tests = {(t.a, t.b): t for t in paired_tests(columns)}
    found = tests["A", "B"]
    assert (found.only_a, found.only_b, found.n) == (8, 0, 12)
    expected = mcnemar_exact(columns["A"].correct, columns["B"].correct)
    assert (found.p_value, found.ci95) == (expected.p_value, expected.ci95)
    assert found.p_holm == pytest.approx(3 * found.p_value) and found.distinguishable
    told = str(found)
    assert "A is right where B is wrong 8 times, the other way never" in told
    assert told.endswith("A is better.") and "Holm p = .023" in told
    assert str(tests["A", "C"]).endswith("not distinguishable.") and "once" in str(tests["A", "C"])
    (same,) = paired_tests({"A": columns["A"], "B": columns["A"]})
    assert str(same) == "A and B are right on the same 12 examples."


def test_what_cannot_be_tested() -> None:
    with pytest.raises(pl.InputError, match="same examples"):
        paired_tests({"A": column("11"), "B": column("111")})
    open_ended = pl.Predictions([pl.Prediction("0", "yes")])
    with pytest.raises(pl.InputError, match="labelled"):
        paired_tests({"A": open_ended, "B": open_ended})
