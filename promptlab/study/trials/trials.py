"""The trials of a study as its storage holds them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import StudyError
from promptlab.study.folder.storage import open_storage
from promptlab.study.spec.objective import Objective
from promptlab.study.spec.spec import StudySpec

AGAIN = "again"
"""The user attribute of a trial that names the one in whose place it stands.

Earlier versions asked for lost trials, and for those with examples unanswered, as new ones.
"""
COMPLETED = "completed:"
"""How the user attributes of a study begin that hold what became of a trial with gaps."""
BATCH = "batch"
"""What a trial was asked with that says in which batch it is judged."""
FIRST_BATCH = 0
OWNER = "owner"
"""What a trial was asked with that names the folder whose trial it is (`StudyFolder.owner`)."""
SPACE = "space"
"""The user attribute of a study that says how many candidates its space holds, if it is finite."""
QUEUED = "queued"
"""The user attribute of a study that says how many candidates of its space are to be tried."""

CHECKSUM = "checksum"
"""What is found of a trial: the hash of its file of predictions."""
FITTED = "fitted_checksum"
"""What is found of a trial whose predictor is kept: the hash of its document."""
MENDED = "mended"
"""The user attribute of a study with the hashes of files that were written again, by number."""


def trial_record(trial: FrozenTrial) -> dict[str, Any]:
    """All that a run has written about a trial: its candidate, and what was found."""
    return {**trial.user_attrs.get("asked", {}), **trial.user_attrs.get("found", {})}


def table_checksum(study: optuna.Study, trial: FrozenTrial) -> str | None:
    """The hash that a trial's file of predictions has; earlier versions recorded none."""
    mended = study.user_attrs.get(MENDED, {}).get(str(trial.number))
    found: str | None = mended or trial_record(trial).get(CHECKSUM)
    return found


def batch_number(trial: FrozenTrial) -> int:
    """The batch in which a trial is judged; earlier versions asked without naming one."""
    return int(trial_record(trial).get(BATCH, FIRST_BATCH - 1))


def open_study(
    spec: StudySpec, where: str, objectives: Sequence[Objective], known: Sequence[str] = ()
) -> tuple[optuna.Study, optuna.storages.BaseStorage]:
    """Create the study in the storage ``where``, or take it up again; the study and the storage.

    ``known`` are more fingerprints by which the storage may know the study. Raises `StudyError` if
    it is another.
    """
    storage = optuna.storages.get_storage(open_storage(where))
    study = optuna.create_study(
        study_name=spec.study,
        storage=storage,
        directions=[objective.direction for objective in objectives],
        load_if_exists=True,
    )
    accepted = (None, *spec.fingerprints, *known)
    if study.user_attrs.get("fingerprint") not in accepted:
        raise StudyError(
            f"the storage holds another study named {spec.study!r}; give this one another --name"
        )
    study.set_user_attr("fingerprint", spec.fingerprint)
    return study, storage


def read_trials(study: optuna.Study) -> list[FrozenTrial]:
    """All trials of a stored study, with what became of those that had examples unanswered."""
    trials = study.get_trials(deepcopy=False)
    for name, record in study.user_attrs.items():
        if name.startswith(COMPLETED):
            number = int(name.removeprefix(COMPLETED))
            trials[number] = with_answers(trials[number], record)
    return trials


def with_answers(trial: FrozenTrial, record: Mapping[str, Any]) -> FrozenTrial:
    """A trial that had examples unanswered, with the values and facts that it has by now."""
    made = copy.copy(trial)
    made.state, made.values = TrialState.COMPLETE, record["values"]
    made.user_attrs = trial.user_attrs | {"found": record["found"]}
    return made


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a stored study that count towards the budget."""
    return counted_trials(read_trials(study))


def counted_trials(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those of all trials that count towards the budget.

    Trials in whose place another one was asked for do not. A lost one may have its reason written
    already (it was killed before it was told), and one that was asked again for want of answers is
    complete: what tells them apart is that other one.
    """
    again = {trial.user_attrs.get(AGAIN) for trial in trials}
    return [
        trial
        for trial in trials
        if trial.number not in again
        and (
            trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            or (trial.state == TrialState.FAIL and "reason" in trial_record(trial))
        )
    ]


def is_unanswered(trial: FrozenTrial) -> bool:
    """Whether a trial is complete but for some examples, or failed for want of any answer."""
    if trial.state == TrialState.COMPLETE:
        return bool(trial_record(trial).get("errors"))
    return trial.state == TrialState.FAIL and bool(trial_record(trial).get("unanswered"))
