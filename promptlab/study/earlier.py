"""The complete trials of a study, as kinds are told of them that build on others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from promptlab.fitting import Finished
from promptlab.kinds.kind import Kind
from promptlab.study.trials import known, table_checksum
from promptlab.task import Task

if TYPE_CHECKING:
    from promptlab.study.state import StudyState


def tell(state: StudyState, kinds: Sequence[Kind], task: Task | None = None) -> None:
    """Tell the kinds that listen of all complete trials so far.

    With another ``task`` they hear of predictors that are fitted anew on it, without the
    predictions of those that were judged.
    """
    curious = [kind for kind in kinds if type(kind).know is not Kind.know]
    if not curious:
        return
    complete = [
        _remembered(state, trial) if task is None else _finished(state, trial, task)
        for trial in state.history.finished
        if trial.state == TrialState.COMPLETE and "repeats" not in known(trial)
    ]
    for kind in curious:
        kind.know(complete)


def _remembered(state: StudyState, trial: FrozenTrial) -> Finished:
    """A complete trial as it was told before, if nothing has changed since."""
    before, made = state.told.get(trial.number, (None, None))
    if before is not trial or made is None:
        made = _finished(state, trial, None)
        state.told[trial.number] = trial, made
    return made


def _finished(state: StudyState, trial: FrozenTrial, task: Task | None) -> Finished:
    facts, candidate = known(trial), state.candidate_of(trial)
    folder = state.fitted_folder(trial)
    sign = 1 if state.objectives[0].maximise else -1
    return Finished(
        number=trial.number,
        kind=candidate.kind,
        candidate=candidate,
        value=sign * trial.values[0],
        folder=folder,
        group=state.group_of(trial),
        predictions=None if task else state.folder.predictions_file(trial.number),
        checksum=None if task else table_checksum(state.study, trial),
        tokens=float(facts.get("tokens_per_example") or 0.0),
        prompt=str(facts.get("prompt") or ""),
        member=partial(state.fit, trial, task),
    )
