"""Finished trials some of whose examples were never answered: those examples are asked again."""

from __future__ import annotations

from typing import Any

from optuna.trial import FrozenTrial, TrialState

from promptlab.cancellation import Cancelled
from promptlab.errors import DiskError, EndpointError, InputError, WorkError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Phase, TrialAsked, TrialFinished, Warned
from promptlab.study.folder.basis import RESTS_ON
from promptlab.study.folder.documents import file_checksum
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.search.trial_evaluation import found_of
from promptlab.study.trials.blocks import ask_missing, check_answered, evaluate_in_blocks
from promptlab.study.trials.context import StudyState
from promptlab.study.trials.trials import CHECKSUM, FITTED, is_unanswered, known


def complete_trials(state: StudyState) -> int:
    """Ask for every example of every finished trial that has no answer; how many trials changed.

    What was answered is kept, and nothing else is asked. A trial that changed keeps its number.
    """
    changed = 0
    for trial in state.history.finished:
        if "repeats" in known(trial) or not is_unanswered(trial):
            continue
        state.events.emit(Phase("asking again"))
        changed += _complete(state, trial)
    return changed


def _complete(state: StudyState, trial: FrozenTrial) -> bool:
    """Whether more is known of a trial now."""
    started = state.cancellation.clock()
    facts = known(trial)
    number = trial.number
    state.events.emit(TrialAsked(number, facts["kind"], facts["name"]))
    before = None
    if trial.state == TrialState.COMPLETE:
        before = _kept(state, trial)
    try:
        rows, found = _asked(state, trial, before)
    except (Cancelled, DiskError, EndpointError):
        raise
    except (InputError, WorkError) as error:  # it stays as it was
        reason = f"{type(error).__name__}: {error}"
        seconds = state.cancellation.clock() - started
        state.events.emit(TrialFinished(number, facts["name"], "failed", None, seconds, reason))
        return False
    found["seconds"] = float(facts.get("seconds") or 0) + state.cancellation.clock() - started
    values = [float(objective.compute(rows)) for objective in state.objectives]
    path = state.folder.predictions_file(number)
    rows.to_jsonl(path)
    found[CHECKSUM] = file_checksum(path)
    state.history.complete(number, values, found)
    state.events.emit(TrialFinished(number, facts["name"], "complete", values[0], found["seconds"]))
    return True


def _kept(state: StudyState, trial: FrozenTrial) -> Predictions | None:
    """What was answered before; ``None``, which is told, when the file of it is damaged."""
    path = state.folder.predictions_file(trial.number)
    if not path.exists():
        return state.folder.predictions(trial.number)  # which says what to do
    try:
        return read_table(path, state.examples, state.task.labels)
    except InputError as error:
        state.events.emit(Warned(f"{error}; trial {trial.number} is judged again"))
        return None


def _asked(
    state: StudyState, trial: FrozenTrial, before: Predictions | None
) -> tuple[Predictions, dict[str, Any]]:
    """A trial's predictions with the examples asked that were missing, and what is found now."""
    fitted = state.fit(trial)
    block, cancellation = state.spec.block, state.cancellation
    if before is None:
        rows, _ = evaluate_in_blocks(fitted, state.examples, block, cancellation)
    else:
        rows = ask_missing(fitted, before, state.examples, block, cancellation)
    check_answered(rows)
    found = found_of(state, fitted, rows)
    if FITTED in known(trial):
        found[FITTED] = known(trial)[FITTED]
    earlier = known(trial).get(RESTS_ON)
    if before is not None and earlier not in (None, state.basis.key):
        found[RESTS_ON] = f"{earlier} and {state.basis.key}"
    return rows, found
