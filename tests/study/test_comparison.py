"""Decided studies beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from promptlab.cli.app import app
from promptlab.errors import StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import mcnemar_exact
from promptlab.models.local import LocalModel
from promptlab.study.comparison import compare_studies, setting_changes
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from tests.helpers.study_fixtures import study_document, write_reviews


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, causal: LocalModel) -> Path:
    """Three decided studies; the last one has another test split."""
    folder = tmp_path_factory.mktemp("over-time")
    data = write_reviews(folder / "reviews.csv")
    base = study_document(data, budget={"trials": 4})
    other = [base["candidates"][1] | {"count": [2]}]
    for name, changes in (
        ("first", {"candidates": base["candidates"][:1]}),
        ("second", {"candidates": other, "baseline": None}),
        ("third", {"task": base["task"] | {"test": 30}}),
    ):
        spec: Any = load_spec(base | {"study": name} | changes, source=name)
        StudyRun(spec, out=folder, model=causal).run()
    return folder


def test_studies_on_the_same_test_examples_are_tested(runs: Path) -> None:
    found = compare_studies([runs / name for name in ("third", "second", "first")])
    assert [row.name for row in found.studies] == ["first", "second", "third"]
    assert [(pair.a, pair.b) for pair in found.pairs] == [("first", "second")]
    (pair,) = found.pairs
    a, b = (
        Predictions.from_jsonl(runs / name / "predictions" / "test.jsonl")
        for name in ("first", "second")
    )
    expected = mcnemar_exact(a.correct, b.correct)
    assert (pair.p_value, pair.difference) == (expected.p_value, expected.difference)
    assert pair.n == 40 and pair.p_holm == pair.p_value
    row = found.studies[0]
    assert row.low is not None and row.high is not None and row.low <= row.value <= row.high
    assert row.tokens and row.prompt and row.task == "reviews"
    json.dumps(found.row())


def test_what_changed_is_told_by_setting(runs: Path) -> None:
    found = {c.key: c for c in setting_changes(runs / "first", runs / "third")}
    assert found["task.test"].before == 40 and found["task.test"].after == 30
    assert found["candidates.2"].before is None
    between = {c.key for c in setting_changes(runs / "second", runs / "third")}
    assert "candidates.1" in between and "description" not in between
    assert setting_changes(runs / "first", runs / "first") == []


def test_what_cannot_be_compared_is_told(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="twice"):
        compare_studies([runs / "first", runs / "first"])
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "study.yaml").write_text("study: begun\n")
    with pytest.raises(StudyError, match="not decided"):
        compare_studies([runs / "first", tmp_path / "begun"])
    (tmp_path / "begun" / "leaderboard.json").write_text('{"kind": "learning_curve", "cells": []}')
    with pytest.raises(StudyError, match="no winner"):
        compare_studies([tmp_path / "begun"])


def test_the_command_line_compares(runs: Path) -> None:
    result = CliRunner().invoke(
        app, ["study", "compare", "first", "second", "--runs", str(runs), "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["pairs"]) == 1 and found["changes"]
    told = CliRunner().invoke(app, ["study", "compare", "first", "third", "--runs", str(runs)])
    assert "nothing to be tested" in told.stdout
    assert yaml.safe_load((runs / "first" / "study.yaml").read_text())["study"] == "first"
