"""What a study gives its learners, and how their results come back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from promptlab.candidates.base import Kind
from promptlab.errors import Cancelled, DiskError, StudyError, WorkError
from promptlab.events import Events
from promptlab.predictors.base import Predictor
from promptlab.study.folder.step_log import StepLog
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.learning_curve_pruner import LearningCurvePruner
from promptlab.study.trials.trial_queue import OpenTrial, TrialQueue
from promptlab.tuning.fit_context import FitContext, FitRequest

Result = tuple[OpenTrial, Predictor | Exception, float]
"""A trial, its predictor or what went wrong, and its share of the fitting time in seconds."""


class StudyFitContext(FitContext):
    """`FitContext` inside a study, for the trials of one group.

    Steps are logged, curves are compared with those of earlier trials, and a learner with room
    gets the study's next trials.
    """

    def __init__(
        self,
        context: StudyContext,
        queue: TrialQueue,
        pruner: LearningCurvePruner,
        group: str,
        items: Sequence[OpenTrial],
    ) -> None:
        super().__init__(
            context.dev_score,
            events=Events(StepLog(context.folder.steps_folder), context.events.emit),
            cancellation=context.cancellation,
            folder=context.folder.path,
        )
        self._context = context
        self._queue = queue
        self._pruner = pruner
        self._group = group
        self._kind = context.space.kinds[self._group]
        self._items = {item.number: item for item in items}

    def should_prune(self, number: int, step: int, value: float) -> bool:
        """Keep the value with the trial; whether the study's pruner gives the trial up."""
        return self._pruner.should_prune(number, step, value)

    def next_candidate(self) -> FitRequest | None:
        """The study's next trial, if it is of this group and not known yet."""
        item = self._queue.next_trial(self._group)
        if item is None:
            return None
        self._items[item.number] = item
        return item.request

    def results(self) -> Iterator[Result]:
        """Every trial once, as it gets ready, those of `next_candidate` too.

        What the kind raises is the result of all that it had not given yet, but for what stops
        the study: a full disk, a cancelled run, a study that cannot go on.
        """
        seconds: dict[int, float] = defaultdict(float)
        asked = [item.request for item in self._items.values()]
        fits: Iterator[tuple[int, Predictor | Exception]] | None = None
        while True:
            begun = self.cancellation.clock()
            try:
                fits = fits or self._kind.fit_many(asked, self._context.model, self)
                number, fitted = next(fits)
            except StopIteration:
                error: Exception = WorkError(f"the kind {self._kind.name!r} fitted nothing for it")
                break
            except (StudyError, DiskError, Cancelled):
                raise
            except Exception as raised:
                if not self._items:
                    raise
                error = raised
                break
            self._share(seconds, number, self.cancellation.clock() - begun)
            if number not in self._items:
                raise WorkError(f"the kind {self._kind.name!r} gave trial {number} unasked")
            yield self._items.pop(number), fitted, seconds[number]
        for number, item in self._items.items():
            yield item, error, seconds[number]

    def _share(self, seconds: dict[int, float], number: int, passed: float) -> None:
        """Time belongs to the trial fitted in it, or in parts to all that learn at once."""
        alone = type(self._kind).fit_many is Kind.fit_many
        numbers = [number] if alone else list(self._items)
        for each in numbers:
            seconds[each] += passed / len(numbers)
