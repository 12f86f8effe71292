"""The order in which a study tries all candidates of its space, if it tries them all."""

from __future__ import annotations

import random
from typing import Any

import optuna

from promptlab.errors import StudyError
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.trials import QUEUED, SPACE, trial_record

_MOST_ENUMERATED = 10_000


class ExhaustiveOrder:
    """Every candidate of ``space`` in an order that follows from the space and the seed alone.

    Candidates come from here one by one as they are asked for, so nothing is queued. Kinds with
    `ordered_dimensions` come after the others, from their smallest values on.
    """

    def __init__(self, space: SearchSpace, every: dict[str, dict[str, Any]], seed: int) -> None:
        self._left = list(every.items())
        random.Random(seed).shuffle(self._left)
        ranks = {group: _rank(space, group) for group in space.kinds}
        only = next(iter(space.kinds))

        def place(item: tuple[str, dict[str, Any]]) -> tuple[int, list[Any]]:
            group = item[1].get("group", only)
            names = space.kinds[group].ordered_dimensions
            return ranks[group], [item[1][f"{group}.{name}"] for name in names]

        self._left.sort(key=place)
        self._left.reverse()

    def next(self, history: TrialHistory) -> dict[str, Any] | None:
        """The parameters of the first candidate that was not asked for yet."""
        while self._left and history.is_taken(self._left[-1][1], self._left[-1][0]):
            self._left.pop()
        return self._left[-1][1] if self._left else None

    def count_left(self, history: TrialHistory) -> int:
        """How many candidates were not asked for yet."""
        return sum(not history.is_taken(params, key) for key, params in self._left)


def plan_trials(
    spec: StudySpec, space: SearchSpace, study: optuna.Study, history: TrialHistory
) -> tuple[int, ExhaustiveOrder | None]:
    """How many trials there will be, and the order of candidates if all are to be tried.

    Raises `StudyError` for an exhaustive study of a space that is too large.
    """
    trials = spec.budget.trials
    if spec.sampler not in ("auto", "exhaustive"):
        return trials, None
    every = space.candidates(_MOST_ENUMERATED)
    if every is not None:
        study.set_user_attr(SPACE, len(every))
    if every is None or (spec.sampler == "auto" and len(every) > trials):
        if spec.sampler == "exhaustive":
            raise StudyError(
                "an exhaustive study needs a finite space of at most "
                f"{_MOST_ENUMERATED} candidates; use the sampler tpe or random"
            )
        return trials, None
    planned = min(trials, len(every))
    study.set_user_attr(QUEUED, planned)
    order = ExhaustiveOrder(space, every, spec.seed)
    # A sampler that came first may have tried some twice: those count, too.
    planned += sum("repeats" in trial_record(trial) for trial in history.finished)
    there = history.count + len(history.open) + len(history.waiting)
    return min(planned, there + order.count_left(history)), order


def _rank(space: SearchSpace, group: str) -> int:
    """How many kinds of the study must come before the kind of a group."""
    after = {kind.name: kind.runs_after for kind in space.kinds.values()}

    def depth(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise StudyError(f"the kinds {' and '.join(above)} each want to come after the other")
        return max((1 + depth(n, (*above, name)) for n in after[name] if n in after), default=0)

    return depth(space.kinds[group].name, ())
