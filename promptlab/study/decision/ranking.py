"""Complete trials in order, so that nobody gains by the examples that were never answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from promptlab.evaluation.predictions import Predictions, answered_by_both
from promptlab.study.folder.saved_predictions import read_trial_predictions
from promptlab.study.spec.objective import Objective
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import trial_record

_DIGITS = 12  # what is equal but for the order of additions is equal


@dataclass(frozen=True)
class Ranking:
    """Complete ``trials``, best first, and the ``values`` by which they stand there, by number.

    ``tables`` are their predictions of dev. A value is that of the first objective. Of a trial with
    gaps it is that of the trial with the fewest (``anchor``) and the difference of the two on the
    examples that both have answered: an easier rest is no merit.
    """

    trials: tuple[FrozenTrial, ...]
    values: Mapping[int, float]
    tables: Mapping[int, Predictions]
    anchor: int

    @property
    def best(self) -> FrozenTrial:
        """The first one."""
        return self.trials[0]

    @property
    def tied(self) -> list[FrozenTrial]:
        """The others with the best one's value."""
        value = self.values[self.best.number]
        return [trial for trial in self.trials[1:] if self.values[trial.number] == value]


def rank_trials(context: StudyContext, complete: Sequence[FrozenTrial]) -> Ranking:
    """Best value first; among equals the cheaper prompt, then the one that was asked for earlier.

    A trial that stands in another's place, as earlier versions wrote them, is as early as that one.
    """
    objective = context.objectives[0]
    sign = -1 if objective.maximise else 1
    tables = {
        trial.number: read_trial_predictions(context.folder, context.study, trial)
        for trial in complete
    }
    anchor = min(complete, key=lambda t: (tables[t.number].n_missing, sign * t.values[0], t.number))
    values = {
        trial.number: _value(objective, trial, tables[trial.number], anchor, tables[anchor.number])
        for trial in complete
    }
    order = sorted(
        complete,
        key=lambda trial: (
            sign * values[trial.number],
            trial_record(trial)["tokens_per_example"],
            context.history.first_number(trial.number),
        ),
    )
    return Ranking(tuple(order), values, tables, anchor.number)


def _value(
    objective: Objective,
    trial: FrozenTrial,
    rows: Predictions,
    anchor: FrozenTrial,
    anchor_rows: Predictions,
) -> float:
    """What a trial is worth beside the anchor, on the examples that both have answered."""
    value = float(trial.values[0])
    if trial.number == anchor.number or (not rows.n_missing and not anchor_rows.n_missing):
        return round(value, _DIGITS)
    own, other = answered_by_both(rows, anchor_rows)
    if not len(own):
        return round(value, _DIGITS)
    apart = float(objective.compute(own)) - float(objective.compute(other))
    return round(float(anchor.values[0]) + apart, _DIGITS)
