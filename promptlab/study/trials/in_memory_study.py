"""A study's trials as samplers and pruners see them: in memory, the same after every restart."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from promptlab.compat import changed_library_error
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.samplers import make_pruner, make_sampler

FIXED = "fixed_params"
"""The system attribute in which Optuna keeps the parameters of a trial that was queued."""
RUNG = "completed_rung_"
"""How the system attributes begin in which Optuna's halving notes how far a trial came."""
SAMPLED = "sampled"
"""What samplers have noted about the whole study while a trial was asked for."""
TOLD = "told"
"""How many trials of the study were told before this one."""


class InMemoryStudy:
    """An Optuna study in memory that holds the trials of a stored one under the same numbers.

    Suggestions and pruning are made here, by a sampler and a pruner made anew for each: they
    follow from the trials that are known and nothing else. What they note is given out, to be
    stored with the trial, and taken in again by `load`.
    """

    def __init__(
        self,
        spec: StudySpec,
        blocks: int,
        directions: Sequence[optuna.study.StudyDirection],
        name: str,
    ) -> None:
        self._spec = spec
        self._blocks = blocks
        self._directions = directions
        self._name = name  # hyperband's brackets depend on it
        self.load([])

    def load(self, trials: Sequence[FrozenTrial]) -> None:
        """Hold these trials, numbered from 0, and no others."""
        self._storage = optuna.storages.InMemoryStorage()
        self.study = optuna.create_study(
            study_name=self._name, storage=self._storage, directions=list(self._directions)
        )
        self._id = self._storage.get_study_id_from_name(self._name)
        for trial in trials:
            self.add(trial)
        ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        for trial in sorted(ended, key=_told_order):  # of equal trials the first told is the best
            self._storage.set_trial_state_values(trial.number, trial.state, trial.values)
        # Hyperband sorts trials into brackets, for the sampler, too, once it was asked about one.
        self.study.pruner = make_pruner(self._spec, self._blocks)
        self.study.pruner.prune(self.study, create_trial(state=TrialState.RUNNING))

    def add(self, trial: FrozenTrial) -> None:
        """Hold one more trial; one that has a value is open until `load` gives it to it."""
        ends = trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        made = create_trial(
            state=TrialState.RUNNING if ends else trial.state,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs=trial.system_attrs,
            intermediate_values=trial.intermediate_values,
        )
        if self._storage.create_new_trial(self._id, made) != trial.number:
            raise changed_library_error("optuna", "the numbers of trials in memory")
        for name, value in trial.user_attrs.get("asked", {}).get(SAMPLED, {}).items():
            self._storage.set_study_system_attr(self._id, name, value)

    def ask(self, params: Mapping[str, Any] | None = None) -> optuna.Trial:
        """The next trial: the first that waits, or one with ``params``, or as the sampler says."""
        if params is not None:
            self.study.enqueue_trial(dict(params))
        trials = self._storage.get_all_trials(
            self._id, deepcopy=False, states=(TrialState.WAITING,)
        )
        number = trials[0].number if trials else self._storage.get_n_trials(self._id)
        self.study.sampler = make_sampler(self._spec, number)
        self._before = self._storage.get_study_system_attrs(self._id)
        return self.study.ask()

    def suggested(self, number: int) -> tuple[FrozenTrial, dict[str, Any]]:
        """A trial as it was suggested, and what its sampler noted about the whole study."""
        noted = self._storage.get_study_system_attrs(self._id)
        new = {name: value for name, value in noted.items() if self._before.get(name) != value}
        return self.trial(number), new

    def trial(self, number: int) -> FrozenTrial:
        """The trial of a number as it stands."""
        return self._storage.get_trial(number)

    def report(self, number: int, step: int, value: float) -> bool:
        """Take in the ``step``-th value of a trial; whether the pruner gives the trial up."""
        self._storage.set_trial_intermediate_value(number, step, value)
        with warnings.catch_warnings():  # that the best trial has no blocks to compare with
            warnings.simplefilter("ignore", UserWarning)
            pruner = make_pruner(self._spec, self._blocks)
            return pruner.prune(self.study, self.trial(number))

    def tell(
        self, number: int, state: TrialState, values: Sequence[float] | None
    ) -> list[float] | None:
        """End a trial; its values, which of a pruned one is the last that was reported."""
        told = self.study.tell(number, values, None if state == TrialState.COMPLETE else state)
        return told.values


def _told_order(trial: FrozenTrial) -> tuple[int, float, int]:
    """Trials in the order in which they were told; earlier versions noted the time alone."""
    told = trial.user_attrs.get("found", {}).get(TOLD, -1)
    ended = trial.datetime_complete
    return int(told), 0.0 if ended is None else ended.timestamp(), trial.number
