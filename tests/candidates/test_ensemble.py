"""Kinds *ensemble* and *distillation* in whole studies over a tiny model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from promptlab.candidates.distillation import unlabelled_texts
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.events import Event, TrialAsked, TrialFinished
from promptlab.models.local import LocalModel
from promptlab.predictors.base import load
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.head import HeadTexts
from promptlab.study.report.composition import describe_composition, member_rows
from promptlab.study.run import StudyRun
from promptlab.study.spec.load import load_spec
from promptlab.study.trials.trials import trial_record
from promptlab.tuning.head import SoftLabelObjective, soften_probabilities
from tests.helpers.study_fixtures import study_document, write_reviews

pytestmark = pytest.mark.slow

Start = Callable[..., tuple[StudyRun, Any]]
OWN = {"negative": "terrible", "positive": "great"}
TEMPLATES: dict[str, Any] = {
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
def start(tmp_path: Path, fresh: Callable[..., Any]) -> Start:
    """``start(candidates)`` makes a run with a model of its own, and gives that model."""
    data = write_reviews(tmp_path / "reviews.csv")

    def make(candidates: list[dict[str, Any]], **changes: Any) -> tuple[StudyRun, Any]:
        model = fresh("tiny_causal", cache=False)
        document = study_document(data, candidates=candidates, budget={"trials": 60}, **changes)
        return StudyRun(
            load_spec(document, source="a test"), out=tmp_path / "runs", model=model
        ), model

    return make


def test_a_search_over_ensembles_costs_no_forward_pass(start: Start) -> None:
    group = {"kind": "ensemble", "top": [2, 3], "method": METHODS, "diverse": [False, True]}
    run, model = start([TEMPLATES, group])
    spent: dict[str, list[int]] = {"template": [], "ensemble": []}
    kinds: dict[int, str] = {}

    def listen(event: Event) -> None:
        if isinstance(event, TrialAsked):
            kinds[event.number] = event.kind
        if isinstance(event, TrialFinished):
            spent[kinds[event.number]].append(model.engine.usage.computed_tokens)

    run.events.subscribe(listen)
    board = run.run()
    ensembles = [row for row in board["trials"] if row["kind"] == "ensemble"]
    assert [row["state"] for row in ensembles] == ["complete"] * len(ensembles)
    assert len(ensembles) == len(spent["ensemble"]) >= 20
    assert spent["template"][-1] > spent["template"][0] > 0
    assert set(spent["ensemble"]) == {spent["template"][-1]}, "an ensemble asked the network"
    judged = sum(row["tokens_per_example"] * 30 for row in board["trials"] if row not in ensembles)
    test = run.folder.predictions("test").tokens
    assert board["tokens"] == round(judged) + test, "what was recalled was not spent"
    cost = {row["name"]: row["tokens_per_example"] for row in board["trials"]}
    mean = next(row for row in ensembles if row["name"] == "ensemble: mean of the best 2")
    assert mean["tokens_per_example"] == sum(cost[name] for name in mean["candidate"]["names"])


def test_an_ensemble_that_wins_is_saved_and_told(start: Start, tmp_path: Path) -> None:
    group = {"kind": "ensemble", "top": [3], "method": ["mean"]}
    run, model = start([TEMPLATES, group], baseline="template")
    run.run()
    context, task = run.context, run.context.task
    (trial,) = [t for t in context.study.trials if trial_record(t).get("kind") == "ensemble"]
    again, _ = start([TEMPLATES, group], baseline="template")
    again.run()  # decided: nothing is told to its kinds
    fitted = context.fit(trial)
    fitted.save(tmp_path / "saved")
    loaded = load(tmp_path / "saved", model)
    assert loaded.predict(task.test).labels == fitted.predict(task.test).labels
    assert loaded.predict(task.dev).labels == [
        {row.example_id: row.label for row in run.folder.predictions(trial.number)}[e.id]
        for e in task.dev
    ]
    first, second = describe_composition(fitted.facts())
    assert "mean probability of 3 members" in first
    assert "weight 0.33" in first
    assert "comparison on test" in second
    assert len(member_rows(fitted.facts())) == 3
    shuffled = context.fit(trial, task)  # a control fits every member anew
    assert shuffled.predict(task.test).labels == fitted.predict(task.test).labels


def test_the_winner_of_a_continued_study_knows_its_members(start: Start) -> None:
    group = {"kind": "ensemble", "top": [3], "method": ["mean"]}
    run, _ = start([TEMPLATES, group])
    run.run()
    (trial,) = [t for t in run.context.study.trials if trial_record(t).get("kind") == "ensemble"]
    space = type(run.context.space)(run.spec.candidates, run.context.task)
    context = dataclasses.replace(run.context, space=space)  # as a new process has it
    assert len(context.fit(trial).facts()["ensemble"]["members"]) == 3


def test_what_an_ensemble_cannot_be(start: Start) -> None:
    run, _ = start([TEMPLATES, {"kind": "ensemble", "top": [1]}])
    with pytest.raises(StudyError, match="at least 2 members"):
        run.run()
    one = TEMPLATES | {"calibration": ["none"], "templates": TEMPLATES["templates"][:1]}
    alone, _ = start([one, {"kind": "ensemble", "top": [2], "method": ["mean"]}])
    rows = alone.run()["trials"]
    assert "too few candidates" in rows[-1]["reason"]
    with pytest.raises(StudyError, match=r"method\.0"):
        start([TEMPLATES, {"kind": "ensemble", "method": ["weighted"]}])


def test_a_student_learns_from_the_ensemble(start: Start, tmp_path: Path) -> None:
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
    by_number = sorted(students, key=lambda row: row["number"])
    keys = [Candidate.of(r["kind"], r["candidate"], r["name"]).key for r in by_number]
    told = [
        load(run.folder.fitted_folder(key), run.context.model).facts()["distillation"]
        for key in keys
    ]
    assert told[0]["texts"] == 25
    assert len(told[0]["members"]) == 2
    assert 0 <= told[0]["agreement"] <= 1
    teacher = told[0]["teacher_tokens"]
    own = [row["learning_tokens"] for row in by_number]
    assert own[0] == own[1] + teacher, "the second student shares the teacher's labels"
    (sentence,) = describe_composition({"distillation": told[0]})
    assert "on 25 texts without labels" in sentence


def test_the_students_loss_is_the_cross_entropy_to_the_teacher(
    causal: LocalModel, task: Task
) -> None:
    texts = HeadTexts("{text}", causal)
    scores = np.log(np.array([[0.8, 0.2], [0.3, 0.7]]))
    targets = soften_probabilities(scores, 2.0)
    by_hand = np.sqrt(np.exp(scores))
    np.testing.assert_allclose(targets, by_hand / by_hand.sum(axis=1, keepdims=True))
    soft = SoftLabelObjective(texts, task.labels, task.dev[:2], targets)
    logits = torch.tensor([[0.5, -1.0], [2.0, 0.1]])
    found = soft.losses([0, 1], [[row] for row in logits], None).numpy()
    expected = -(targets * logits.log_softmax(-1).numpy()).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_texts_for_a_student(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "more.jsonl"
    rows = [{"text": task.dev[0].fields["text"]}, {"text": "something new"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = unlabelled_texts(task, str(path), 1000)
    assert len(found) == len(task.train) + 1, "dev must not teach"
    assert all(example.label is None for example in found)
    assert len(unlabelled_texts(task, str(path), 3)) == 3
    with pytest.raises(DataError, match="no file"):
        unlabelled_texts(task, "nowhere.csv", 10)
    path.write_text('{"premise": "x", "other": "y"}')
    with pytest.raises(DataError, match="has the columns premise, other"):
        unlabelled_texts(task, str(path), 10)
