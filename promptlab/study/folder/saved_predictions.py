"""Kept predictions, looked at before they count: whole, of the right examples, and unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import InputError, StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Events, Phase, Warned
from promptlab.study.folder.documents import file_checksum
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.spec.objective import Objective
from promptlab.study.trials.blocks import check_answered, predict_in_blocks
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.trials import MENDED, is_unanswered, table_checksum, trial_record

_CLOSE = 1e-9
_NOT_REPEATED = ("seconds",)
"""Objectives that differ each time a candidate is judged."""


def repair_predictions(context: StudyContext, *, own_storage: bool) -> None:
    """Judge again every complete trial whose predictions are damaged or gone; each is told.

    Predictions that are gone are made again only where the storage belongs to the folder: else
    they are in the folder of another run.
    """
    for trial in context.history.finished:
        if (
            trial.state != TrialState.COMPLETE
            or "repeats" in trial_record(trial)
            or is_unanswered(trial)
        ):
            continue
        path = context.folder.predictions_file(trial.number)
        if not path.exists() and not own_storage:
            continue
        try:
            _check(context, trial, path)
        except InputError as error:
            context.events.emit(Warned(f"{error}; trial {trial.number} is judged again"))
            _predict_again(context, trial, path)


def read_trial_predictions(
    folder: StudyFolder, study: optuna.Study, trial: FrozenTrial
) -> Predictions:
    """A trial's predictions, unchanged since it was judged. Raises `InputError` naming the file."""
    path = folder.predictions_file(trial.number)
    expected = table_checksum(study, trial)
    if expected is not None and path.is_file() and file_checksum(path) != expected:
        raise StudyError(
            f"{path} is not as it was written (its checksum is another one); the same command "
            "judges the trial again"
        )
    return folder.predictions(trial.number)


def warn_lost_trials(folder: StudyFolder, history: TrialHistory, events: Events) -> None:
    """Tell where the storage of the folder knows none of the trials that have predictions here."""
    files = [p for p in (folder.path / "predictions").glob("*.jsonl") if p.stem.isdigit()]
    if files and not len(history):
        told = f"{folder.path / 'study.db'} knows none of the {len(files)} trials whose "
        events.emit(Warned(f"{told}predictions are in the folder: they are tried again"))


def _check(context: StudyContext, trial: FrozenTrial, path: Path) -> None:
    """Raise `InputError` when a trial's predictions are not those by which it was judged."""
    if not path.exists():
        raise StudyError(f"{path} is gone")
    expected = table_checksum(context.study, trial)
    if expected is not None and path.is_file() and file_checksum(path) == expected:
        return
    rows = read_table(path, context.examples, context.task.labels)
    if expected is not None:
        raise StudyError(f"{path} is not as it was written (its checksum is another one)")
    if (wrong := _value_difference(context.objectives, trial, rows)) is not None:
        raise StudyError(f"{path} {wrong}")


def _predict_again(context: StudyContext, trial: FrozenTrial, path: Path) -> None:
    """Predict dev anew by a trial's candidate. Raises `StudyError` if that gives other values."""
    context.events.emit(Phase("judging again"))
    rows, _ = predict_in_blocks(
        context.fit(trial), context.examples, context.spec.block, context.cancellation
    )
    check_answered(rows)
    if (wrong := _value_difference(context.objectives, trial, rows)) is not None:
        raise StudyError(
            f"trial {trial.number} of {context.folder.path} was judged again, as its predictions "
            f"are damaged, and {wrong}: what it rests on is no longer the same; give this study "
            "another --name"
        )
    rows.to_jsonl(path)
    mended = context.study.user_attrs.get(MENDED, {})
    context.study.set_user_attr(MENDED, {**mended, str(trial.number): file_checksum(path)})


def _value_difference(
    objectives: Sequence[Objective], trial: FrozenTrial, rows: Predictions
) -> str | None:
    """How the values of predictions differ from those that the storage has of a trial."""
    for objective, value in zip(objectives, trial.values, strict=True):
        found = float(objective.compute(rows))
        if objective.name not in _NOT_REPEATED and abs(found - value) > _CLOSE:
            return f"gives {objective.name} {found:.6g} where the storage has {value:.6g}"
    return None
