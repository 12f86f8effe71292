"""What a study gives its learners, and how their results come back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from promptlab.cancellation import Cancelled
from promptlab.candidates.base import Kind
from promptlab.errors import DiskError, StudyError, WorkError
from promptlab.events import Events
from promptlab.predictors.base import Predictor
from promptlab.study.folder.step_log import StepLog
from promptlab.study.trials.context import StudyState
from promptlab.study.trials.learning_curve_pruner import Curves
from promptlab.study.trials.trial_queue import Asking, OpenTrial
from promptlab.tuning.fit_context import Asked, Fitting

Result = tuple[OpenTrial, Predictor | Exception, float]
"""A trial, its predictor or what went wrong, and its share of the fitting time in seconds."""


class StudyFitting(Fitting):
    """`Fitting` inside a study, for the trials of one group.

    Steps are logged, curves are compared with those of earlier trials, and a learner with room
    gets the study's next trials.
    """

    def __init__(
        self,
        state: StudyState,
        asking: Asking,
        curves: Curves,
        group: str,
        items: Sequence[OpenTrial],
    ) -> None:
        super().__init__(
            state.judge,
            events=Events(StepLog(state.folder.steps), state.events.emit),
            cancellation=state.cancellation,
            folder=state.folder.path,
        )
        self._state = state
        self._asking = asking
        self._curves = curves
        self._group = group
        self._kind = state.space.kinds[self._group]
        self._items = {item.number: item for item in items}

    def report(self, number: int, step: int, value: float) -> bool:
        """Keep the value with the trial; whether the study's pruner gives the trial up."""
        return self._curves.report(number, step, value)

    def another(self) -> Asked | None:
        """The study's next trial, if it is of this group and not known yet."""
        item = self._asking.another(self._group)
        if item is None:
            return None
        self._items[item.number] = item
        return item.asked

    def results(self) -> Iterator[Result]:
        """Every trial once, as it gets ready, those of `another` too.

        What the kind raises is the result of all that it had not given yet, but for what stops
        the study: a full disk, a cancelled run, a study that cannot go on.
        """
        seconds: dict[int, float] = defaultdict(float)
        asked = [item.asked for item in self._items.values()]
        fits: Iterator[tuple[int, Predictor | Exception]] | None = None
        while True:
            begun = self.cancellation.clock()
            try:
                fits = fits or self._kind.fit_many(asked, self._state.model, self)
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
