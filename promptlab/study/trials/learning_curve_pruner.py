"""Learning curves: the dev scores of learned trials by evaluation, and who is given up early."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.in_memory_study import RUNG
from promptlab.study.trials.samplers import make_learning_pruner

CURVE = "curve"
"""The user attribute of a trial that holds its curve: [evaluation, dev score] pairs in order."""
RUNGS = "rungs"
"""The user attribute of a trial that holds how far it came: by name [evaluation, value]."""
GIVEN_UP = "given_up"
"""The user attribute of a trial that holds at which evaluation it fell behind."""


class LearningCurvePruner:
    """The curves of one kind's trials; larger is better.

    Trials of a kind are compared evaluation by evaluation, as if these were the steps of an Optuna
    study in which each has its own number: the steps of the real study are blocks of examples.
    Whether a trial is given up follows from what is kept with the trials and nothing else.
    """

    def __init__(self, spec: StudySpec, kind: str, history: TrialHistory) -> None:
        self._spec = spec
        self._name = f"{spec.study}/{kind}"  # hyperband's brackets depend on it
        self._kind = kind
        self._history = history
        self._prunes = spec.pruner in ("median", "halving", "hyperband") and (
            len(spec.objectives) < 2
        )
        self._study: optuna.Study | None = None

    def should_prune(self, number: int, step: int, value: float) -> bool:
        """Keep a value with the trial; whether the pruner gives the trial up.

        A learner that goes on from a checkpoint may come to an evaluation again. With the same
        value, what was decided then stands: by now others may have come further. With another
        value, what was kept of it and of later ones is forgotten. The value is kept last: what is
        kept was decided.
        """
        if not math.isfinite(value):  # the learner itself says that it diverged
            return False
        trial = self._history.trial(number)
        points = {int(s): float(v) for s, v in learning_curve(trial) or []}
        if points.get(step) == value:
            return bool(trial.user_attrs.get(GIVEN_UP) == step)
        rungs = trial.user_attrs.get(RUNGS, {})
        earlier = {s: v for s, v in points.items() if s < step}
        lower = {name: rung for name, rung in rungs.items() if rung[0] < step}
        if len(earlier) < len(points) or len(lower) < len(rungs):
            self._study = None  # Optuna forgets nothing
            self._history.set_attribute(number, RUNGS, lower)
            self._history.set_attribute(number, CURVE, _sorted_points(earlier))
        pruned = self._prunes and self._falls_behind(number, step, value, lower)
        if pruned:
            self._history.set_attribute(number, GIVEN_UP, step)
        self._history.set_attribute(number, CURVE, _sorted_points({**earlier, step: value}))
        return pruned

    def finish(self, number: int, state: TrialState) -> None:
        """The trial is finished; a complete one counts among those that later ones must match."""
        if self._study is not None and (curve := learning_curve(self._history.trial(number))):
            values = [curve[-1][1]] if state == TrialState.COMPLETE else None
            self._storage.set_trial_state_values(number, state, values)

    def _falls_behind(
        self, number: int, step: int, value: float, lower: dict[str, list[float]]
    ) -> bool:
        """Whether the pruner gives a trial up; what it notes is kept."""
        if self._study is None:
            self._study = self._build_study()
        while self._storage.get_n_trials(self._id) <= number:
            self._storage.create_new_trial(self._id)
        self._storage.set_trial_intermediate_value(number, step, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            pruner = make_learning_pruner(self._spec)
            pruned = pruner.prune(self._study, self._storage.get_trial(number))
        noted = self._storage.get_trial(number).system_attrs
        rungs = {name: [step, float(v)] for name, v in noted.items() if name.startswith(RUNG)}
        if len(rungs) > len(lower):
            self._history.set_attribute(number, RUNGS, rungs | lower)
        return pruned

    def _build_study(self) -> optuna.Study:
        """The curves that there are as a study, each trial under its own number."""
        self._storage = optuna.storages.InMemoryStorage()
        study = optuna.create_study(
            study_name=self._name, direction="maximize", storage=self._storage
        )
        self._id = self._storage.get_study_id_from_name(self._name)
        known = {trial.number: trial for trial in self._history.of_kind(self._kind)}
        known |= {trial.number: trial for trial in self._history.open}
        for number in range(max(known, default=-1) + 1):
            self._storage.create_new_trial(self._id, _as_curve_trial(known.get(number)))
        return study


def _sorted_points(points: Mapping[int, float]) -> list[list[float]]:
    return [list(point) for point in sorted(points.items())]


def _as_curve_trial(trial: FrozenTrial | None) -> FrozenTrial:
    """A trial whose steps are its evaluations; one without a curve has not begun."""
    curve = None if trial is None else learning_curve(trial)
    if trial is None or not curve:
        return create_trial(state=TrialState.RUNNING)
    complete = trial.state == TrialState.COMPLETE
    return create_trial(
        state=trial.state,
        values=[float(curve[-1][1])] if complete else None,
        intermediate_values={int(step): float(value) for step, value in curve},
        system_attrs={name: rung[1] for name, rung in trial.user_attrs.get(RUNGS, {}).items()},
    )


def learning_curve(trial: FrozenTrial) -> list[Any] | None:
    """The [evaluation, dev score] pairs of a learned trial; None for one that was not learned."""
    found: list[Any] | None = trial.user_attrs.get(CURVE)
    return found
