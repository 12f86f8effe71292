"""Controls that nobody has to ask for: majority, content-free, shuffled labels."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.errors import InputError
from promptlab.events import Phase
from promptlab.example import Example
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.statistics import majority_baseline
from promptlab.study.evaluation import evaluate_in_blocks
from promptlab.study.objective import summary
from promptlab.study.state import StudyState
from promptlab.study.unanswered import check_answered

CONTENT_FREE = "N/A"


def baselines(
    state: StudyState, best: FrozenTrial, winner: Predictor, majority: Predictions
) -> list[dict[str, Any]]:
    """Controls that nobody has to ask for."""
    state.events.emit(Phase("controls"))
    objectives = state.objectives
    dev_majority = majority_baseline(state.task.train, state.examples)
    label = majority[0].label
    return [
        {
            "name": "majority",
            "dev": summary(dev_majority, objectives),
            "test": summary(majority, objectives),
            "note": f"always {label!r}, the most frequent label of train",
        },
        {
            "name": "content-free",
            "dev": summary(_content_free(state, winner), objectives),
            "test": None,
            "note": f"the winner with {CONTENT_FREE!r} in every field: what it says unread",
        },
        _shuffled(state, best),
    ]


def _content_free(state: StudyState, winner: Predictor) -> Predictions:
    """The winner's one answer to empty content, judged against every dev label."""
    fields = dict.fromkeys(state.task.fields, CONTENT_FREE)
    found = winner.predict([Example("content-free", fields)])
    check_answered(found)
    row = found[0]
    return Predictions(
        dataclasses.replace(row, example_id=e.id, target=e.label) for e in state.examples
    )


def _shuffled(state: StudyState, best: FrozenTrial) -> dict[str, Any]:
    """The winner fitted on shuffled training labels: what it has from the labels' mere look."""
    labels = [example.label for example in state.task.train]
    random.Random(state.spec.seed).shuffle(labels)
    shuffled = tuple(
        dataclasses.replace(example, label=label)
        for example, label in zip(state.task.train, labels, strict=True)
    )
    try:
        control = state.fit(best, dataclasses.replace(state.task, train=shuffled))
    except InputError as error:  # no demonstration is answered rightly any more, for one
        note = f"the winner cannot be fitted on shuffled training labels: {error}"
        return {"name": "shuffled-labels", "dev": None, "test": None, "note": note}
    rows, _ = evaluate_in_blocks(control, state.examples, state.spec.block, state.cancellation)
    check_answered(rows)
    same = rows.labels == state.folder.predictions(best.number).labels
    note = "the winner fitted on shuffled training labels"
    if same:
        note += "; the same predictions: this prompt learns nothing from the labels"
    return {
        "name": "shuffled-labels",
        "dev": summary(rows, state.objectives),
        "test": None,
        "note": note,
    }
