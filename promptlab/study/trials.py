"""The trials of a study: opened, queued, and taken up again after a killed run."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.errors import StudyError
from promptlab.study.folder import StudyFolder
from promptlab.study.objective import Objective
from promptlab.study.samplers import make_pruner, make_sampler
from promptlab.study.space import Space
from promptlab.study.spec import StudySpec
from promptlab.study.storage import open_storage

AGAIN = "again"
"""The user attribute of a trial that names the one in whose place it stands."""
SPACE = "space"
"""The user attribute of a study that says how many candidates its space holds, if it is finite."""
_MOST_ENUMERATED = 10_000


def known(trial: FrozenTrial) -> dict[str, Any]:
    """All that a run has written about a trial: its candidate, and what was found."""
    return {**trial.user_attrs.get("asked", {}), **trial.user_attrs.get("found", {})}


def open_study(
    spec: StudySpec,
    storage: str,
    objectives: Sequence[Objective],
    blocks: int,
    known: Sequence[str] = (),
) -> optuna.Study:
    """Create the study in ``storage``, or take it up again. Raises `StudyError` if it is another.

    ``blocks`` is how often a trial reports to the pruner; ``known`` are more fingerprints by which
    the storage may know the study.
    """
    study = optuna.create_study(
        study_name=spec.study,
        storage=open_storage(storage),
        directions=[objective.direction for objective in objectives],
        pruner=make_pruner(spec, blocks),
        load_if_exists=True,
    )
    accepted = (None, *spec.fingerprints, *known)
    if study.user_attrs.get("fingerprint") not in accepted:
        raise StudyError(
            f"the storage holds another study named {spec.study!r}; give this one another --name"
        )
    study.set_user_attr("fingerprint", spec.fingerprint)
    study.sampler = make_sampler(spec, len(study.get_trials(deepcopy=False)))
    return study


def queue_candidates(spec: StudySpec, space: Space, study: optuna.Study) -> int:
    """Queue all candidates if the space is small enough; how many trials there will be."""
    trials = spec.budget.trials
    if spec.sampler not in ("auto", "exhaustive"):
        return trials
    queued, size = (study.user_attrs.get(name) for name in ("queued", SPACE))
    if queued is not None and (queued == size or queued >= trials or size is None):
        return int(queued)  # kinds that build on earlier trials would count others by now
    every = space.enumerate(_MOST_ENUMERATED)
    if every is not None:
        study.set_user_attr(SPACE, len(every))
    if every is None or (spec.sampler == "auto" and len(every) > trials):
        if spec.sampler == "exhaustive":
            raise StudyError(
                "an exhaustive study needs a finite space of at most "
                f"{_MOST_ENUMERATED} candidates; use the sampler tpe or random"
            )
        return trials
    random.Random(spec.seed).shuffle(every)
    every.sort(key=lambda params: _rank(space, params))
    for params in every[:trials]:
        study.enqueue_trial(params, skip_if_exists=True)
    study.set_user_attr("queued", min(trials, len(every)))
    # A sampler that came first may have tried some twice: those count, too.
    done = [trial for trial in finished(study) if "repeats" in known(trial)]
    return min(trials, len(every)) + len(done)


def _rank(space: Space, params: dict[str, Any]) -> int:
    """How many kinds of the study must come before the kind of these parameters."""
    group = params.get("group") or next(iter(space.kinds))
    after = {kind.name: kind.after for kind in space.kinds.values()}

    def depth(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise StudyError(f"the kinds {' and '.join(above)} each want to come after the other")
        return max((1 + depth(n, (*above, name)) for n in after[name] if n in after), default=0)

    return depth(space.kinds[group].name, ())


def requeue_lost(study: optuna.Study, folder: StudyFolder) -> None:
    """Ask again for the trials that a killed run of this folder left unfinished.

    The new trial is queued before the old one is closed, and names it, so that being killed here
    neither loses nor doubles one.
    """
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(AGAIN) for trial in trials}
    for trial in trials:
        owner = known(trial).get("folder", str(folder.path.absolute()))
        if trial.state != TrialState.RUNNING or owner != str(folder.path.absolute()):
            continue
        if trial.number not in again:
            params = trial.system_attrs.get("fixed_params", {}) | trial.params
            study.enqueue_trial(params, user_attrs={AGAIN: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)


def is_unanswered(trial: FrozenTrial) -> bool:
    """Whether a trial is complete but for some examples, or failed for want of any answer."""
    if trial.state == TrialState.COMPLETE:
        return bool(known(trial).get("errors"))
    return trial.state == TrialState.FAIL and bool(known(trial).get("unanswered"))


def first_numbers(study: optuna.Study) -> dict[int, int]:
    """For each trial the number of the first one in whose place it stands, mostly its own."""
    found: dict[int, int] = {}
    for trial in study.get_trials(deepcopy=False):
        before = trial.user_attrs.get(AGAIN)
        found[trial.number] = trial.number if before is None else found[before]
    return found


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count towards the budget; those in whose place another one was queued do not.

    A lost trial may have its reason written already (it was killed before it was told), and one
    that is asked again for want of answers is complete: what tells them apart is that other one.
    """
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs.get(AGAIN) for trial in trials}
    return [
        trial
        for trial in trials
        if trial.number not in again
        and (
            trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
            or (trial.state == TrialState.FAIL and "reason" in known(trial))
        )
    ]
