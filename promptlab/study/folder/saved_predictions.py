"""Kept predictions, looked at before they count: whole, of the right examples, and unchanged."""

from __future__ import annotations

from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import InputError, StudyError
from promptlab.evaluation.predictions import Predictions
from promptlab.events import Phase, Warned
from promptlab.study.folder.documents import file_checksum
from promptlab.study.folder.prediction_tables import read_table
from promptlab.study.trials.blocks import check_answered, evaluate_in_blocks
from promptlab.study.trials.context import StudyState
from promptlab.study.trials.trials import MENDED, is_unanswered, known, table_checksum

_CLOSE = 1e-9
_NOT_REPEATED = ("seconds",)
"""Objectives that differ each time a candidate is judged."""


def mend_tables(state: StudyState, *, own_storage: bool) -> None:
    """Judge again every complete trial whose predictions are damaged or gone; each is told.

    Predictions that are gone are made again only where the storage belongs to the folder: else
    they are in the folder of another run.
    """
    for trial in state.history.finished:
        if trial.state != TrialState.COMPLETE or "repeats" in known(trial) or is_unanswered(trial):
            continue
        path = state.folder.predictions_file(trial.number)
        if not path.exists() and not own_storage:
            continue
        try:
            _check(state, trial, path)
        except InputError as error:
            state.events.emit(Warned(f"{error}; trial {trial.number} is judged again"))
            _judge_again(state, trial, path)


def read_kept(state: StudyState, trial: FrozenTrial) -> Predictions:
    """A trial's predictions, unchanged since it was judged. Raises `InputError` naming the file."""
    path = state.folder.predictions_file(trial.number)
    expected = table_checksum(state.study, trial)
    if expected is not None and path.is_file() and file_checksum(path) != expected:
        raise StudyError(
            f"{path} is not as it was written (its checksum is another one); the same command "
            "judges the trial again"
        )
    return state.folder.predictions(trial.number)


def tell_lost_trials(state: StudyState) -> None:
    """Tell where the storage of the folder knows none of the trials that have predictions here."""
    files = [p for p in (state.folder.path / "predictions").glob("*.jsonl") if p.stem.isdigit()]
    if files and not len(state.history):
        told = f"{state.folder.path / 'study.db'} knows none of the {len(files)} trials whose "
        state.events.emit(Warned(f"{told}predictions are in the folder: they are tried again"))


def _check(state: StudyState, trial: FrozenTrial, path: Path) -> None:
    """Raise `InputError` when a trial's predictions are not those by which it was judged."""
    if not path.exists():
        raise StudyError(f"{path} is gone")
    expected = table_checksum(state.study, trial)
    if expected is not None and path.is_file() and file_checksum(path) == expected:
        return
    rows = read_table(path, state.examples, state.task.labels)
    if expected is not None:
        raise StudyError(f"{path} is not as it was written (its checksum is another one)")
    if (wrong := _other_value(state, trial, rows)) is not None:
        raise StudyError(f"{path} {wrong}")


def _judge_again(state: StudyState, trial: FrozenTrial, path: Path) -> None:
    """Predict dev anew by a trial's candidate. Raises `StudyError` if that gives other values."""
    state.events.emit(Phase("judging again"))
    rows, _ = evaluate_in_blocks(
        state.fit(trial), state.examples, state.spec.block, state.cancellation
    )
    check_answered(rows)
    if (wrong := _other_value(state, trial, rows)) is not None:
        raise StudyError(
            f"trial {trial.number} of {state.folder.path} was judged again, as its predictions are "
            f"damaged, and {wrong}: what it rests on is no longer the same; give this study "
            "another --name"
        )
    rows.to_jsonl(path)
    mended = state.study.user_attrs.get(MENDED, {})
    state.study.set_user_attr(MENDED, {**mended, str(trial.number): file_checksum(path)})


def _other_value(state: StudyState, trial: FrozenTrial, rows: Predictions) -> str | None:
    """How the values of predictions differ from those that the storage has of a trial."""
    for objective, value in zip(state.objectives, trial.values, strict=True):
        found = float(objective.compute(rows))
        if objective.name not in _NOT_REPEATED and abs(found - value) > _CLOSE:
            return f"gives {objective.name} {found:.6g} where the storage has {value:.6g}"
    return None
