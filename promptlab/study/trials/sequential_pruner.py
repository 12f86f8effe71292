"""A race against the best candidate so far, given up when it is shown to be lost."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from promptlab.data.duplicates import text_key
from promptlab.errors import InputError, StudyError
from promptlab.evaluation.metrics import MeanMetric
from promptlab.evaluation.predictions import Predictions, answered_by_both
from promptlab.evaluation.sequential_testing import (
    PairedSequentialTest,
    SequentialResult,
    paired_differences,
)
from promptlab.study.folder.saved_predictions import read_trial_predictions
from promptlab.study.spec.objective import Objective
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.trials import trial_record

ALPHA = 0.05
"""The greatest probability with which a candidate as good as the best one is given up."""
SUPPORT = 0.2
"""The same by the objective, where probabilities show that a candidate is worse (CAPO's level)."""


class SequentialPruner:
    """Gives a candidate up once it is shown to be worse than the best complete one.

    Both are compared on the examples that both have answered, a text that repeats counted once, by
    `PairedSequentialTest`: however small the blocks are, and however often it is looked at, of the
    candidates that are as good as the best one at most a part of `ALPHA` is given up.

    With ``pruner_signal: probability`` the probabilities of the right label are compared, which
    need fewer examples. A prompt may be less sure and right as often, so they alone give nobody up:
    the objective must be below the best one's on the common examples, and shown to be by the same
    test at `SUPPORT`. Of candidates as good by both at most a part of `ALPHA` is given up, of those
    as good by the objective alone at most one of `SUPPORT`. Where a label was not scored, the
    objective is compared as without the setting.
    """

    def __init__(self, context: StudyContext) -> None:
        self._context = context
        self._rows: dict[int, Predictions] = {}
        self._first_ids = _first_of_each_text(context)

    def should_prune(self, rows: Predictions) -> bool:
        """Whether what a candidate has answered so far shows that it is worse.

        Raises `StudyError` for an objective whose values do not lie between 0 and 1.
        """
        best = self._best_trial()
        if best is None:
            return False
        objective = self._context.objectives[0]
        known, new = answered_by_both(self._predictions(best), rows)
        sides = [self._distinct(table) for table in (known, new)]
        values = [_values(objective, table) if len(table) else [] for table in sides]
        sign = 1 if objective.maximise else -1
        differences = [sign * (b - a) for a, b in zip(*values, strict=True)]
        by_probability = self._context.spec.pruner_signal == "probability"
        return is_shown_worse(differences, _surer(*sides) if by_probability else None)

    def _best_trial(self) -> FrozenTrial | None:
        complete = [
            trial
            for trial in self._context.history.finished
            if trial.state == TrialState.COMPLETE and "repeats" not in trial_record(trial)
        ]
        sign = 1 if self._context.objectives[0].maximise else -1
        return max(complete, key=lambda t: (sign * t.values[0], -t.number), default=None)

    def _predictions(self, trial: FrozenTrial) -> Predictions:
        if trial.number not in self._rows:
            rows = read_trial_predictions(self._context.folder, self._context.study, trial)
            self._rows = {trial.number: rows}  # of the others none is asked for again
        return self._rows[trial.number]

    def _distinct(self, table: Predictions) -> Predictions:
        return Predictions(row for row in table if row.example_id in self._first_ids)


def check_sequential_pruner(objective: Objective) -> None:
    """Raise `StudyError` for an objective of which examples have no values of their own."""
    if not isinstance(objective.metric, MeanMetric):
        raise StudyError(
            f"pruner: sequential compares the values of single examples, from 0 to 1, and "
            f"{objective.name} has none; use wilcoxon, median or none"
        )


def is_shown_worse(objective: Sequence[float], surer: Sequence[float] | None = None) -> bool:
    """Whether a candidate is to be given up, by what it has more than the best on common examples.

    Args:
        objective: The differences of the objective, from -1 to 1; negative where it is worse.
        surer: Those of the probability of the right label, where they decide together.

    Returns:
        By the objective alone whether it is shown to be worse at `ALPHA`; with both whether the
        probability shows it at `ALPHA`, and the objective is below by now and shows it at
        `SUPPORT`.

    Example:
        >>> is_shown_worse([-1.0] * 4 + [0.0] * 6), is_shown_worse([-1.0] * 7)
        (False, True)
        >>> is_shown_worse([-1.0] * 4 + [0.0] * 6, [-0.8] * 10)
        True
        >>> is_shown_worse([0.0] * 10, [-0.8] * 10)
        False
    """
    if surer is None:
        return _compare(objective, ALPHA).is_worse
    found = _compare(objective, SUPPORT)
    return found.difference < 0 and found.is_worse and _compare(surer, ALPHA).is_worse


def _compare(differences: Sequence[float], alpha: float) -> SequentialResult:
    return PairedSequentialTest(alpha).update(differences).result


def _surer(known: Predictions, new: Predictions) -> list[float] | None:
    """What the right labels are given more by ``new``; ``None`` where one was not scored."""
    try:
        return paired_differences(known, new, "probability")
    except InputError:
        return None


def _values(objective: Objective, rows: Predictions) -> Sequence[float]:
    values = objective.per_example(rows)
    if values is None or any(not 0 <= value <= 1 for value in values):
        raise StudyError(
            f"pruner: sequential compares values from 0 to 1, and {objective.name} gives others; "
            "use wilcoxon, median or none"
        )
    return values


def _first_of_each_text(context: StudyContext) -> frozenset[str]:
    """The ids of the examples that are the first of their text."""
    first: dict[str, str] = {}
    for example in context.examples:
        first.setdefault(text_key(example), example.id)
    return frozenset(first.values())
