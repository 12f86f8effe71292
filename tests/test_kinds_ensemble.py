"""Kinds *ensemble* and *distillation* in whole studies over a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_material import study_document, write_reviews

from promptlab.errors import StudyError
from promptlab.kinds.ensemble import EnsembleKind, EnsembleSettings
from promptlab.predictions import Predictions
from promptlab.predictor import load
from promptlab.study.run import StudyRun
from promptlab.study.spec import build_spec
from promptlab.task import Task

OWN = {"negative": "terrible", "positive": "great"}
TEMPLATES = {
    "kind": "template",
    "templates": [
        {"text": "{text} It was {mask}.", "answers": OWN},
        {"text": "{text} A {mask} one.", "answers": OWN},
        {"text": "Review: {text} Sentiment: {mask}", "answers": OWN},
    ],
    "calibration": ["none", "contextual"],
}
METHODS = ["majority", "mean", "dev_accuracy", "learned", "stacking", "cascade"]


@pytest.fixture
def start(tmp_path: Path, fresh: Callable[..., Any]) -> Callable[..., tuple[StudyRun, Any]]:
    """``start(candidates)`` makes a run with a model of its own, and gives that model."""
    data = write_reviews(tmp_path / "reviews.csv")

    def make(candidates: list[dict[str, Any]], **changes: Any) -> tuple[StudyRun, Any]:
        model = fresh("tiny_causal", cache=False)
        document = study_document(data, candidates=candidates, budget={"trials": 60}, **changes)
        return StudyRun(build_spec(document, "a test"), out=tmp_path / "runs", model=model), model

    return make


def test_a_search_over_ensembles_costs_no_forward_pass(start: Callable[..., Any]) -> None:
    group = {"kind": "ensemble", "top": [2, 3, 4, 5], "method": METHODS, "diverse": [False, True]}
    run, model = start([TEMPLATES, group])
    used: dict[str, set[int]] = {"template": set(), "ensemble": set()}
    judged: list[tuple[str, int]] = []

    def listen(event: Any) -> None:
        facts = event.record()
        if facts["event"] == "TrialAsked":
            judged.append((facts["kind"], model.engine.usage.computed_tokens))

    run.events.subscribe(listen)
    before = model.engine.usage.computed_tokens
    board = run.run()
    first = next(spent for kind, spent in judged if kind == "ensemble")
    last = [spent for kind, spent in judged if kind == "ensemble"][-1]
    ensembles = [row for row in board["trials"] if row["kind"] == "ensemble"]
    assert len(ensembles) >= 20
    assert all(row["state"] == "complete" for row in ensembles), ensembles
    assert first > before
    assert last == first, "an ensemble asked the network while the study searched"
    del used


def test_a_student_learns_from_the_ensemble(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    texts = tmp_path / "more.csv"
    texts.write_text("sentence\n" + "\n".join(f"the soup was loud {n} ." for n in range(5)))
    group = {
        "kind": "distillation",
        "top": [2],
        "temperature": [1.0, 2.0],
        "unlabelled": str(texts),
        "epochs": 3,
    }
    run, _ = start([TEMPLATES, group])
    board = run.run()
    students = [row for row in board["trials"] if row["kind"] == "distillation"]
    assert [row["state"] for row in students] == ["complete"] * 2, students
    key = next(t for t in board["trials"] if t["kind"] == "distillation")["number"]
    assert len(run.folder.predictions(key)) == 30
    folders = [path for path in (run.folder.path / "fitted").iterdir()]
    told = load(folders[0], run.model).facts()["distillation"]
    print(told, students)
