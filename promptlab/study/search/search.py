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
from promptlab.study.search.dollar_limit import DollarLimit, DollarsSpent
from promptlab.study.search.study_fitting import StudyFitContext
from promptlab.study.search.trial_evaluation import TrialEvaluator
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.exhaustive_order import ExhaustiveOrder
from promptlab.study.trials.learning_curve_pruner import LearningCurvePruner
from promptlab.study.trials.trial_queue import OpenTrial, TrialBatch, TrialQueue

SECONDS = "search_seconds"
"""The user attribute of a study that says how long has been searched for it."""


class TrialSearch:
    """Spends a study's budget: ``planned`` trials, and seconds of search in all runs together."""

    def __init__(
        self, context: StudyContext, planned: int, order: ExhaustiveOrder | None = None
    ) -> None:
        self._context = context
        self._planned = planned
        self._before = float(context.study.user_attrs.get(SECONDS, 0.0))
        limit, now = context.spec.budget.seconds, context.cancellation.clock()
        self._deadline = math.inf if limit is None else now + limit - self._before
        named = (getattr(k.settings, "writer", None) for k in context.space.kinds.values())
        self._dollars = DollarLimit(
            context.spec.budget.dollars, context.model, [name for name in named if name]
        )
        self._queue = TrialQueue(context, planned, order, self._is_time_over)
        self._evaluator = TrialEvaluator(context)
        self._pruners: dict[str, LearningCurvePruner] = {}

    def run(self) -> bool:
        """Judge until the budget is spent; whether its seconds or dollars ended the search.

        The time holds in the midst of a trial, too: the one that it cuts is not judged by half, but
        left open, as is all that was asked for with it: a larger budget goes on with them. Dollars
        are looked at between two trials.
        """
        study, cancellation = self._context.study, self._context.cancellation
        begun = cancellation.clock()
        try:
            with cancellation.until(self._deadline):
                while self._trials_left > 0 and not self._is_time_over():
                    cancellation.check()
                    self._dollars.check()
                    batch = self._queue.next_batch(min(self._trials_left, self._context.spec.batch))
                    if not batch.items and not batch.begun_groups:
                        break
                    self._run_batch(batch)
        except DollarsSpent as spent:
            self._context.events.emit(Warned(str(spent)))
        except TimeOver:
            self._context.events.emit(Warned("the seconds of the budget are spent"))
        finally:
            study.set_user_attr(SECONDS, self._before + cancellation.clock() - begun)
        return self._trials_left > 0

    @property
    def _trials_left(self) -> int:
        """How many trials are still to be judged."""
        return self._planned - self._context.history.count

    def _is_time_over(self) -> bool:
        return self._context.cancellation.clock() > self._deadline

    def _run_batch(self, batch: TrialBatch) -> None:
        """Fit and judge a batch, one group after the other; equal candidates once."""
        new: dict[str, list[OpenTrial]] = {group: [] for group in batch.groups}
        repeated: list[OpenTrial] = []
        keys: set[str] = set()
        for item in batch.items:
            key = item.candidate.key
            if key in keys or self._context.history.find_judged(key) is not None:
                repeated.append(item)
            else:
                keys.add(key)
                new[item.group].append(item)
        for group, each in new.items():
            if each or group in batch.begun_groups:
                self._run_group(group, each)
        for item in repeated:
            self._evaluator.record_duplicate(item)

    def _run_group(self, group: str, items: Sequence[OpenTrial]) -> None:
        """Judge what an earlier run has fitted, then fit the others together.

        If that run has left none, its learner may still have room for more of the group.
        """
        kind = self._context.space.kinds[group]
        pruner = self._pruner_of(kind.name)
        unfitted = []
        for item in items:
            kept = self._load_fitted(item)
            if kept is None:
                unfitted.append(item)
            else:
                self._evaluate(pruner, item, kept, 0.0)
        if unfitted or type(kind).fit_many is not Kind.fit_many:
            self._queue.notify_kinds()
            fitting = StudyFitContext(self._context, self._queue, pruner, group, unfitted)
            for result in fitting.results():
                self._evaluate(pruner, *result)
                self._dollars.check()

    def _evaluate(
        self,
        pruner: LearningCurvePruner,
        item: OpenTrial,
        fitted: Predictor | Exception,
        seconds: float,
    ) -> None:
        pruner.finish(item.number, self._evaluator.evaluate(item, fitted, seconds))

    def _load_fitted(self, item: OpenTrial) -> Predictor | None:
        """What an earlier run fitted; one that cannot be read is fitted again."""
        if not self._context.space.kinds[item.group].saves_fitted:
            return None
        try:
            return self._context.load_fitted(item.candidate)
        except InputError as error:
            self._context.events.emit(Warned(f"{item.candidate.name} is fitted again: {error}"))
            remove(self._context.folder.fitted_folder(item.candidate.key))
            return None

    def _pruner_of(self, kind: str) -> LearningCurvePruner:
        if kind not in self._pruners:
            self._pruners[kind] = LearningCurvePruner(
                self._context.spec, kind, self._context.history
            )
        return self._pruners[kind]
