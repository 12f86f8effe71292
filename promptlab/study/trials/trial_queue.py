"""Asking for trials, in batches or one by one, so that none is lost or judged twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from promptlab.events import TrialAsked
from promptlab.predictors.candidate import Candidate
from promptlab.study.folder.step_log import StepLog
from promptlab.study.trials.context import StudyContext, notify_kinds
from promptlab.study.trials.exhaustive_order import ExhaustiveOrder
from promptlab.study.trials.history import NumberTaken
from promptlab.study.trials.learning_curve_pruner import CURVE
from promptlab.study.trials.trials import (
    AGAIN,
    BATCH,
    FIRST_BATCH,
    OWNER,
    batch_number,
    trial_record,
)
from promptlab.tuning.fit_context import FitRequest


@dataclass(frozen=True)
class OpenTrial:
    """A trial that was asked for and not told yet: its number, its group and its candidate."""

    number: int
    group: str
    candidate: Candidate
    batch: int

    @property
    def request(self) -> FitRequest:
        """As its kind sees it."""
        return FitRequest(self.number, self.candidate)


@dataclass(frozen=True)
class TrialBatch:
    """Open trials that are judged together, the groups in their order.

    ``groups`` are those of the whole batch; of those in ``begun_groups`` a killed run has finished
    some.
    """

    items: Sequence[OpenTrial]
    groups: Sequence[str]
    begun_groups: frozenset[str]


class TrialQueue:
    """Which trials are open. ``over`` says whether the time for asking has passed.

    Every trial belongs to a batch. What a killed run left open is judged first, in the batch in
    which it was asked, which is filled only if nothing of it was told: so a study that goes on
    asks for every trial knowing what it would have known without the kill. A trial that cannot be
    handed to the learner that asked for it (another group's, a candidate that is known, open, or
    fitted already) is put aside into the next batch.

    Candidates come from the ``order`` of a study that tries all, else from its sampler.
    """

    def __init__(
        self,
        context: StudyContext,
        planned: int,
        order: ExhaustiveOrder | None,
        over: Callable[[], bool],
    ) -> None:
        self._context = context
        self._planned = planned
        self._order = order
        self._is_time_over = over
        self._notified = -1  # how many complete trials kinds were told of
        history = context.history
        self._open = {trial.number: self._resume(trial) for trial in history.open}
        self._last = max([FIRST_BATCH - 1, *history.batches])
        self._batch: int | None = None
        self._closed_groups: set[str] = set()

    def next_batch(self, size: int) -> TrialBatch:
        """Up to ``size`` trials, but all of a batch that was begun; none if there are none left."""
        self._forget_finished()
        open_batches = [item.batch for item in self._open.values()]
        if self._batch is None and self._last >= FIRST_BATCH:
            open_batches.append(self._last)  # its learners may not be done
        number = min(open_batches, default=self._last + 1)
        self._begin(number)
        taken = [item for item in self._open.values() if item.batch == number]
        told = [
            t for t in self._context.history.finished_in(number) if "repeats" not in trial_record(t)
        ]
        while not told and len(taken) < size and self.left > 0:
            item = self._ask(number)
            if item is None:
                break
            taken.append(item)
        groups = {t.number: self._context.group_of(t) for t in told}
        groups |= {item.number: item.group for item in taken}
        begun = frozenset(groups[t.number] for t in told)
        return TrialBatch(taken, list(dict.fromkeys(groups[n] for n in sorted(groups))), begun)

    def _begin(self, number: int) -> None:
        """Take up a batch; learners that had no more room in it have none when it goes on."""
        self._batch, self._last = number, max(self._last, number)
        noted = self._context.study.user_attrs.get(self._closed_key, {})
        self._closed_groups = set(noted["groups"]) if noted.get("batch") == number else set()

    @property
    def _closed_key(self) -> str:
        """The user attribute of the study that says for which groups a batch gets no more."""
        return f"over:{self._context.folder.owner}"

    def next_trial(self, group: str) -> OpenTrial | None:
        """One more trial of ``group``, if the budget has one left and it needs fitting."""
        if (
            self._is_time_over()
            or self._context.cancellation.requested
            or group in self._closed_groups
        ):
            return None
        item = self._next_trial(group)
        if item is None:
            self._closed_groups.add(group)
            record = {"batch": self._batch, "groups": sorted(self._closed_groups)}
            self._context.study.set_user_attr(self._closed_key, record)
        return item

    def _next_trial(self, group: str) -> OpenTrial | None:
        assert self._batch is not None, "learners learn in a batch"
        self._forget_finished()
        aside = [item for item in self._open.values() if item.batch > self._batch]
        for item in aside:
            if item.group == group and self._is_new(item):
                self._open[item.number] = taken = self._move_to(item, self._batch)
                return taken
        if self.left <= 0 or len(aside) >= self._context.spec.batch:
            return None
        asked = self._ask(self._batch, group)
        return asked if asked is not None and asked.batch == self._batch else None

    @property
    def left(self) -> int:
        """How many trials may still be asked for."""
        return self._planned - self._context.history.count - len(self._open)

    def _resume(self, trial: FrozenTrial) -> OpenTrial:
        """A trial that a killed run left open."""
        group, candidate = self._context.group_of(trial), self._context.candidate_of(trial)
        return OpenTrial(trial.number, group, candidate, batch_number(trial))

    def _forget_finished(self) -> None:
        """Forget the open trials that were told since."""
        done = [n for n in self._open if self._context.history.is_finished(n)]
        for number in done:
            del self._open[number]

    def _move_to(self, item: OpenTrial, batch: int) -> OpenTrial:
        """A trial that was put aside, in the batch at work."""
        history = self._context.history
        asked = history.trial(item.number).user_attrs["asked"] | {BATCH: batch}
        history.set_attribute(item.number, "asked", asked)
        return OpenTrial(item.number, item.group, item.candidate, batch)

    def _must_wait(self, group: str) -> bool:
        """Whether kinds that this group's comes after have trials open or queued."""
        kinds = self._context.space.kinds
        earlier = {name for name, kind in kinds.items() if kind.name in kinds[group].runs_after}
        if not earlier:
            return False
        queued = self._context.history.waiting
        groups = {item.group for item in self._open.values()}
        groups |= {trial.system_attrs.get("fixed_params", {}).get("group") for trial in queued}
        return bool(groups & earlier)

    def _is_new(self, item: OpenTrial) -> bool:
        """Neither judged nor fitted yet, nor open as a trial that was asked for earlier."""
        key = item.candidate.key
        for other in self._open.values():
            if other.number != item.number and other.candidate.key == key:
                return False
        return (
            self._context.history.find_judged(key) is None
            and not self._context.folder.fitted_folder(key).exists()
        )

    def _ask(self, batch: int, group: str | None = None) -> OpenTrial | None:
        """A new trial in a batch; in the next one if it cannot be handed to ``group``'s learner.

        None when its kind has to wait for others, or when there is none.
        """
        while True:
            try:
                return self._try_to_ask(batch, group)
            except NumberTaken:
                continue

    def _try_to_ask(self, batch: int, group: str | None) -> OpenTrial | None:
        history, params = self._context.history, None
        if self._order is not None and not history.waiting:
            params = self._order.next(history)
            if params is None or self._must_wait(params.get("group") or self._only_group):
                return None
        self.notify_kinds()
        trial = history.ask(params)
        lost = self._lost_trial(trial.number)
        if lost is None:
            if self._must_wait(self._context.space.group(trial)):
                history.discard()
                return None
            found, candidate = self._context.space.suggest(trial)
        else:
            found, candidate = self._replay(trial, lost)
        item = OpenTrial(trial.number, found, candidate, batch)
        if group is not None and (found != group or not self._is_new(item)):
            item = OpenTrial(trial.number, found, candidate, batch + 1)
        return self._store(item, lost)

    @property
    def _only_group(self) -> str:
        return next(iter(self._context.space.kinds))

    def _store(self, item: OpenTrial, lost: FrozenTrial | None) -> OpenTrial:
        candidate = item.candidate
        asked = {
            OWNER: self._context.folder.owner,
            BATCH: item.batch,
            "group": item.group,
            "kind": candidate.kind,
            "candidate": candidate.settings,
            "name": candidate.name,
            "key": candidate.key,
        }
        self._context.history.store(item.number, asked)
        if lost is not None and CURVE in lost.user_attrs:
            self._context.history.set_attribute(item.number, CURVE, lost.user_attrs[CURVE])
        self._context.events.emit(TrialAsked(item.number, candidate.kind, candidate.name))
        self._open[item.number] = item
        return item

    def _lost_trial(self, number: int) -> FrozenTrial | None:
        """The lost trial in whose place an earlier version has queued this one, if it was asked.

        Its steps are taken over from whichever trial before it wrote some.
        """
        history = self._context.history
        if number >= len(history):
            return None
        before = history.trial(number).user_attrs.get(AGAIN)
        log = StepLog(self._context.folder.steps_folder)
        while before is not None:
            lost = history.trial(before)
            log.take_over(before, number)
            if "asked" in lost.user_attrs:
                return lost
            before = lost.user_attrs.get(AGAIN)
        return None

    def _replay(self, trial: optuna.Trial, lost: FrozenTrial) -> tuple[str, Candidate]:
        """The very candidate of the lost trial: its kind might suggest another one by now."""
        for name, found in lost.distributions.items():  # the values are those queued
            match found:
                case CategoricalDistribution():
                    trial.suggest_categorical(name, found.choices)
                case IntDistribution():
                    trial.suggest_int(name, found.low, found.high, step=found.step, log=found.log)
                case FloatDistribution():
                    trial.suggest_float(name, found.low, found.high, step=found.step, log=found.log)
        return self._context.group_of(lost), self._context.candidate_of(lost)

    def notify_kinds(self) -> None:
        """Kinds whose candidates build on earlier ones hear of those that are complete.

        Before they are asked, and before they fit: a killed run may have asked for all.
        """
        if self._notified != self._context.history.count:
            self._notified = self._context.history.count
            notify_kinds(self._context, list(self._context.space.kinds.values()))
