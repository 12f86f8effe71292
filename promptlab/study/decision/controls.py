"""Controls that nobody has to ask for.

Majority, content-free, shuffled labels, and a bag of words.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.data.example import Example
from promptlab.errors import EndpointError, InputError
from promptlab.evaluation.bag_of_words import BagOfWords
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import majority_baseline
from promptlab.events import Phase
from promptlab.predictors.base import Predictor
from promptlab.study.decision.side_work import SideWork
from promptlab.study.folder.saved_predictions import read_kept
from promptlab.study.trials.blocks import check_answered, evaluate_in_blocks
from promptlab.study.trials.context import StudyState

CONTENT_FREE = "N/A"


@dataclass(frozen=True)
class Control:
    """What the winner must beat: its predictions where it was measured, and what it is."""

    name: str
    note: str
    dev: Predictions | None = None
    test: Predictions | None = None

    def row(self, state: StudyState) -> dict[str, Any]:
        """As it stands in the result document."""
        return {
            "name": self.name,
            "dev": None if self.dev is None else state.on_dev(self.dev),
            "test": None if self.test is None else state.on_test(self.test),
            "note": self.note,
        }


def study_controls(
    state: StudyState, best: FrozenTrial, winner: Predictor, beside: SideWork
) -> list[Control]:
    """All of them, the majority class first; what cannot be measured says why in its note."""
    state.events.emit(Phase("controls"))

    def measured(name: str, measure: Callable[[], Control]) -> Control:
        return beside.attempt(
            f"the control {name}", measure, lambda reason: Control(name, f"not measured, {reason}")
        )

    found = [
        _majority(state),
        measured("content-free", lambda: _content_free(state, winner)),
        measured("shuffled-labels", lambda: _shuffled(state, best)),
    ]
    if state.task.labels:
        found.append(measured("bag-of-words", lambda: _bag_of_words(state)))
    return found


def _majority(state: StudyState) -> Control:
    dev, test = (majority_baseline(state.task.train, s) for s in (state.examples, state.task.test))
    note = f"always {test[0].label!r}, the most frequent label of train"
    return Control("majority", note, dev, test)


def _content_free(state: StudyState, winner: Predictor) -> Control:
    """The winner's one answer to empty content, judged against every dev label."""
    fields = dict.fromkeys(state.task.fields, CONTENT_FREE)
    found = winner.predict([Example("content-free", fields)])
    check_answered(found)
    rows = Predictions(
        dataclasses.replace(found[0], example_id=e.id, target=e.label) for e in state.examples
    )
    note = f"the winner with {CONTENT_FREE!r} in every field: what it says unread"
    return Control("content-free", note, rows)


def _shuffled(state: StudyState, best: FrozenTrial) -> Control:
    """The winner fitted on shuffled training labels: what it has from the labels' mere look."""
    labels = [example.label for example in state.task.train]
    random.Random(state.spec.seed).shuffle(labels)
    shuffled = tuple(
        dataclasses.replace(example, label=label)
        for example, label in zip(state.task.train, labels, strict=True)
    )
    try:
        control = state.fit(best, dataclasses.replace(state.task, train=shuffled))
    except EndpointError:
        raise
    except InputError as error:  # no demonstration is answered rightly any more, for one
        note = f"the winner cannot be fitted on shuffled training labels: {error}"
        return Control("shuffled-labels", note)
    rows, _ = evaluate_in_blocks(control, state.examples, state.spec.block, state.cancellation)
    check_answered(rows)
    same = rows.labels == read_kept(state, best).labels
    note = "the winner fitted on shuffled training labels"
    if same:
        note += "; the same predictions: this prompt learns nothing from the labels"
    return Control("shuffled-labels", note, rows)


def _bag_of_words(state: StudyState) -> Control:
    """Word counts with logistic regression, on the training examples that prompts may use."""
    train = state.task.train
    try:
        model = BagOfWords(train)
    except InputError as error:
        return Control("bag-of-words", f"not fitted: {error}")
    note = f"word counts with logistic regression, fitted on the {len(train):,} examples of train"
    dev, test = model.predict(state.examples), model.predict(state.task.test)
    return Control("bag-of-words", note, dev, test)
