"""The search: ask in batches, fit each group's candidates together, judge each as it gets ready."""

from __future__ import annotations

import math
from collections.abc import Sequence

from promptlab.cancellation import TimeOver
from promptlab.candidates.base import Kind
from promptlab.errors import InputError
from promptlab.events import Warned
from promptlab.files.cache import remove
from promptlab.predictors.base import Predictor
from promptlab.study.search.study_fitting import StudyFitting
from promptlab.study.search.trial_evaluation import Judging
from promptlab.study.trials.context import StudyState
from promptlab.study.trials.exhaustive_order import CandidateOrder
from promptlab.study.trials.learning_curve_pruner import Curves
from promptlab.study.trials.trial_queue import Asking, Batch, OpenTrial

SECONDS = "search_seconds"
"""The user attribute of a study that says how long has been searched for it."""


class Search:
    """Spends a study's budget: ``planned`` trials, and seconds of search in all runs together."""

    def __init__(
        self, state: StudyState, planned: int, order: CandidateOrder | None = None
    ) -> None:
        self._state = state
        self._planned = planned
        self._before = float(state.study.user_attrs.get(SECONDS, 0.0))
        limit, now = state.spec.budget.seconds, state.cancellation.clock()
        self._deadline = math.inf if limit is None else now + limit - self._before
        self._asking = Asking(state, planned, order, self._over)
        self._judging = Judging(state)
        self._curves: dict[str, Curves] = {}

    def run(self) -> bool:
        """Judge until the budget is spent; whether its seconds were what ended the search.

        The time holds in the midst of a trial, too: the one that it cuts is not judged by half, but
        left open, as is all that was asked for with it: a larger budget goes on with them.
        """
        study, cancellation = self._state.study, self._state.cancellation
        begun = cancellation.clock()
        try:
            with cancellation.until(self._deadline):
                while self._left > 0 and not self._over():
                    cancellation.check()
                    batch = self._asking.batch(min(self._left, self._state.spec.batch))
                    if not batch.items and not batch.begun:
                        break
                    self._judge_batch(batch)
        except TimeOver:
            self._state.events.emit(Warned("the seconds of the budget are spent"))
        finally:
            study.set_user_attr(SECONDS, self._before + cancellation.clock() - begun)
        return self._left > 0

    @property
    def _left(self) -> int:
        """How many trials are still to be judged."""
        return self._planned - self._state.history.count

    def _over(self) -> bool:
        return self._state.cancellation.clock() > self._deadline

    def _judge_batch(self, batch: Batch) -> None:
        """Fit and judge a batch, one group after the other; equal candidates once."""
        new: dict[str, list[OpenTrial]] = {group: [] for group in batch.groups}
        repeated: list[OpenTrial] = []
        keys: set[str] = set()
        for item in batch.items:
            key = item.candidate.key
            if key in keys or self._state.history.told(key) is not None:
                repeated.append(item)
            else:
                keys.add(key)
                new[item.group].append(item)
        for group, each in new.items():
            if each or group in batch.begun:
                self._group(group, each)
        for item in repeated:
            self._judging.repeat(item)

    def _group(self, group: str, items: Sequence[OpenTrial]) -> None:
        """Judge what an earlier run has fitted, then fit the others together.

        If that run has left none, its learner may still have room for more of the group.
        """
        kind = self._state.space.kinds[group]
        curves = self._curves_of(kind.name)
        unfitted = []
        for item in items:
            kept = self._kept(item)
            if kept is None:
                unfitted.append(item)
            else:
                self._judge(curves, item, kept, 0.0)
        if unfitted or type(kind).fit_many is not Kind.fit_many:
            self._asking.tell_kinds()
            fitting = StudyFitting(self._state, self._asking, curves, group, unfitted)
            for result in fitting.results():
                self._judge(curves, *result)

    def _judge(
        self, curves: Curves, item: OpenTrial, fitted: Predictor | Exception, seconds: float
    ) -> None:
        curves.close(item.number, self._judging.judge(item, fitted, seconds))

    def _kept(self, item: OpenTrial) -> Predictor | None:
        """What an earlier run fitted; one that cannot be read is fitted again."""
        if not self._state.space.kinds[item.group].keeps:
            return None
        try:
            return self._state.kept(item.candidate)
        except InputError as error:
            self._state.events.emit(Warned(f"{item.candidate.name} is fitted again: {error}"))
            remove(self._state.folder.fitted(item.candidate.key))
            return None

    def _curves_of(self, kind: str) -> Curves:
        if kind not in self._curves:
            self._curves[kind] = Curves(self._state.spec, kind, self._state.history)
        return self._curves[kind]
