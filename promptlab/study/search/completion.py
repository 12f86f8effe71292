"""Finished trials some of whose examples were never answered: those examples are asked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import Cancelled, DiskError, EndpointError, InputError, WorkError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Phase, TrialAsked, TrialFinished, Warned
from promptlab.study.folder.documents import file_checksum
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.folder.provenance import RESTS_ON
from promptlab.study.search.trial_evaluation import evaluation_record
from promptlab.study.trials.blocks import check_answered, predict_in_blocks, predict_missing
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import CHECKSUM, FITTED, is_unanswered, trial_record


def answer_missing(context: StudyContext) -> int:
    """Ask for every example of every finished trial that has no answer; how many trials changed.

    What was answered is kept, and nothing else is asked. A trial that changed keeps its number.
    """
    changed = 0
    for trial in context.history.finished:
        if "repeats" in trial_record(trial) or not is_unanswered(trial):
            continue
        context.events.emit(Phase("asking again"))
        changed += _answer_trial(context, trial)
    return changed


def _answer_trial(context: StudyContext, trial: FrozenTrial) -> bool:
    """Whether more is known of a trial now."""
    started = context.cancellation.clock()
    facts = trial_record(trial)
    number = trial.number
    context.events.emit(TrialAsked(number, facts["kind"], facts["name"]))
    before = None
    if trial.state == TrialState.COMPLETE:
        before = _earlier_predictions(
            context.folder, context.task, context.examples, context.events, trial
        )
    try:
        rows, found = _predict_missing(context, trial, before)
    except (Cancelled, DiskError, EndpointError):
        raise
    except (InputError, WorkError) as error:  # it stays as it was
        reason = f"{type(error).__name__}: {error}"
        seconds = context.cancellation.clock() - started
        context.events.emit(TrialFinished(number, facts["name"], "failed", None, seconds, reason))
        return False
    found["seconds"] = float(facts.get("seconds") or 0) + context.cancellation.clock() - started
    values = [float(objective.compute(rows)) for objective in context.objectives]
    path = context.folder.predictions_file(number)
    rows.to_jsonl(path)
    found[CHECKSUM] = file_checksum(path)
    context.history.store_answers(number, values, found)
    context.events.emit(
        TrialFinished(number, facts["name"], "complete", values[0], found["seconds"])
    )
    return True


def _earlier_predictions(
    folder: StudyFolder, task: Task, examples: Sequence[Example], events: Events, trial: FrozenTrial
) -> Predictions | None:
    """What was answered before; ``None``, which is told, when the file of it is damaged."""
    path = folder.predictions_file(trial.number)
    if not path.exists():
        return folder.predictions(trial.number)  # which says what to do
    try:
        return read_table(path, examples, task.labels)
    except InputError as error:
        events.emit(Warned(f"{error}; trial {trial.number} is judged again"))
        return None


def _predict_missing(
    context: StudyContext, trial: FrozenTrial, before: Predictions | None
) -> tuple[Predictions, dict[str, Any]]:
    """A trial's predictions with the examples asked that were missing, and what is found now."""
    fitted = context.fit(trial)
    block, cancellation = context.spec.block, context.cancellation
    if before is None:
        rows, _ = predict_in_blocks(fitted, context.examples, block, cancellation)
    else:
        rows = predict_missing(fitted, before, context.examples, block, cancellation)
    check_answered(rows)
    found = evaluation_record(context, fitted, rows)
    if FITTED in trial_record(trial):
        found[FITTED] = trial_record(trial)[FITTED]
    earlier = trial_record(trial).get(RESTS_ON)
    if before is not None and earlier not in (None, context.provenance.key):
        found[RESTS_ON] = f"{earlier} and {context.provenance.key}"
    return rows, found
