"""Controls that nobody has to ask for.

Majority, content-free, shuffled labels, and a bag of words.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import EndpointError, InputError
from promptlab.evaluation.bag_of_words import BagOfWords
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import majority_baseline
from promptlab.events import Phase
from promptlab.predictors.base import Predictor
from promptlab.study.decision.optional_results import OptionalResults
from promptlab.study.folder.saved_predictions import read_trial_predictions
from promptlab.study.trials.blocks import check_answered, predict_in_blocks
from promptlab.study.trials.context import StudyContext

CONTENT_FREE = "N/A"


@dataclass(frozen=True)
class Control:
    """What the winner must beat: its predictions where it was measured, and what it is."""

    name: str
    note: str
    dev: Predictions | None = None
    test: Predictions | None = None

    def row(self, context: StudyContext) -> dict[str, Any]:
        """As it stands in the result document."""
        return {
            "name": self.name,
            "dev": None if self.dev is None else context.dev_summary(self.dev),
            "test": None if self.test is None else context.test_summary(self.test),
            "note": self.note,
        }


def measure_controls(
    context: StudyContext, best: FrozenTrial, winner: Predictor, beside: OptionalResults
) -> list[Control]:
    """All of them, the majority class first; what cannot be measured says why in its note."""
    context.events.emit(Phase("controls"))

    def measured(name: str, measure: Callable[[], Control]) -> Control:
        return beside.attempt(
            f"the control {name}", measure, lambda reason: Control(name, f"not measured, {reason}")
        )

    found = [
        _majority(context.task, context.examples),
        measured("content-free", lambda: _content_free(context.task, context.examples, winner)),
        measured("shuffled-labels", lambda: _shuffled(context, best)),
    ]
    if context.task.labels:
        found.append(
            measured("bag-of-words", lambda: _bag_of_words(context.task, context.examples))
        )
    return found


def _majority(task: Task, examples: Sequence[Example]) -> Control:
    dev, test = (majority_baseline(task.train, s) for s in (examples, task.test))
    note = f"always {test[0].label!r}, the most frequent label of train"
    return Control("majority", note, dev, test)


def _content_free(task: Task, examples: Sequence[Example], winner: Predictor) -> Control:
    """The winner's one answer to empty content, judged against every dev label."""
    fields = dict.fromkeys(task.fields, CONTENT_FREE)
    found = winner.predict([Example("content-free", fields)])
    check_answered(found)
    rows = Predictions(
        dataclasses.replace(found[0], example_id=e.id, target=e.label) for e in examples
    )
    note = f"the winner with {CONTENT_FREE!r} in every field: what it says unread"
    return Control("content-free", note, rows)


def _shuffled(context: StudyContext, best: FrozenTrial) -> Control:
    """The winner fitted on shuffled training labels: what it has from the labels' mere look."""
    labels = [example.label for example in context.task.train]
    random.Random(context.spec.seed).shuffle(labels)
    shuffled = tuple(
        dataclasses.replace(example, label=label)
        for example, label in zip(context.task.train, labels, strict=True)
    )
    try:
        control = context.fit(best, dataclasses.replace(context.task, train=shuffled))
    except EndpointError:
        raise
    except InputError as error:  # no demonstration is answered rightly any more, for one
        note = f"the winner cannot be fitted on shuffled training labels: {error}"
        return Control("shuffled-labels", note)
    rows, _ = predict_in_blocks(control, context.examples, context.spec.block, context.cancellation)
    check_answered(rows)
    same = rows.labels == read_trial_predictions(context.folder, context.study, best).labels
    note = "the winner fitted on shuffled training labels"
    if same:
        note += "; the same predictions: this prompt learns nothing from the labels"
    return Control("shuffled-labels", note, rows)


def _bag_of_words(task: Task, examples: Sequence[Example]) -> Control:
    """Word counts with logistic regression, on the training examples that prompts may use."""
    train = task.train
    try:
        model = BagOfWords(train)
    except InputError as error:
        return Control("bag-of-words", f"not fitted: {error}")
    note = f"word counts with logistic regression, fitted on the {len(train):,} examples of train"
    dev, test = model.predict(examples), model.predict(task.test)
    return Control("bag-of-words", note, dev, test)
