"""Learning curves: the dev scores of learned trials by evaluation, and who is given up early."""

from __future__ import annotations

import math
import warnings
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.study.samplers import make_learning_pruner
from promptlab.study.spec import StudySpec

CURVE = "curve"
"""The user attribute of a trial that holds its curve: [evaluation, dev score] pairs in order."""


class Curves:
    """The curves of one kind's trials; larger is better.

    Trials of a kind are compared evaluation by evaluation, in an Optuna study of their own in
    memory: its steps are not the blocks of examples by which the real study prunes. A continued
    study gives it the finished trials, whose curves stand in their user attributes.
    """

    def __init__(self, spec: StudySpec, kind: str, earlier: list[FrozenTrial]) -> None:
        self._prunes = spec.pruner in ("median", "halving", "hyperband") and (
            len(spec.objectives) < 2
        )
        self._study = optuna.create_study(
            study_name=f"{spec.study}/{kind}",  # hyperband's brackets depend on it
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=spec.seed),
            pruner=make_learning_pruner(spec),
        )
        self._values: dict[int, dict[int, float]] = {}
        self._twins: dict[int, optuna.Trial] = {}
        for trial in earlier:
            self.take_over(trial.number, trial)
            self.close(trial.number, trial.state)

    def take_over(self, number: int, trial: FrozenTrial | optuna.Trial) -> None:
        """The trial ``number`` has the curve that is kept with ``trial``, if there is one."""
        for step, value in trial.user_attrs.get(CURVE, []):
            self._add(number, int(step), float(value))

    def report(self, trial: optuna.Trial, step: int, value: float) -> bool:
        """Keep a value with the trial; whether the pruner gives the trial up."""
        if not math.isfinite(value):  # the learner itself says that it diverged
            return False
        pruned = self._add(trial.number, step, value)
        curve = sorted(self._values[trial.number].items())
        trial.set_user_attr(CURVE, [list(point) for point in curve])
        return pruned and self._prunes

    def close(self, number: int, state: TrialState) -> None:
        """The trial is finished; a complete one counts among those that later ones must match."""
        twin = self._twins.pop(number, None)
        if twin is None:
            return
        if state == TrialState.COMPLETE:
            values = self._values[number]
            self._study.tell(twin, values[max(values)])
        else:
            self._study.tell(twin, state=state)

    def _add(self, number: int, step: int, value: float) -> bool:
        twin = self._twins.get(number)
        if twin is None:
            twin = self._twins[number] = self._study.ask()
        values = self._values.setdefault(number, {})
        if step not in values:  # a learner that goes on from a checkpoint may repeat one
            twin.report(value, step)
        values[step] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return twin.should_prune()


def curve_of(trial: FrozenTrial) -> list[Any] | None:
    """The [evaluation, dev score] pairs of a learned trial; None for one that was not learned."""
    found: list[Any] | None = trial.user_attrs.get(CURVE)
    return found
