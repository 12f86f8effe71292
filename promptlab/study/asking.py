"""Asking for trials, in batches or one by one, so that none is lost or judged twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from promptlab.candidate import Candidate
from promptlab.events import TrialAsked
from promptlab.fitting import Asked
from promptlab.study.curves import CURVE
from promptlab.study.earlier import tell
from promptlab.study.state import StudyState, known
from promptlab.study.steps import StepLog
from promptlab.study.trials import AGAIN, finished, requeue_lost


@dataclass(frozen=True)
class OpenTrial:
    """A trial that was asked for and not told yet, its group and its candidate."""

    trial: optuna.Trial
    group: str
    candidate: Candidate

    @property
    def asked(self) -> Asked:
        """As its kind sees it."""
        return Asked(self.trial.number, self.candidate)


class Asking:
    """Which trials are open. ``over`` says whether the time for asking has passed.

    A trial that cannot be handed to the learner that asked for it (another group's, a candidate
    that is known, open, or fitted already) is put aside and comes first in a later batch. One
    whose kind comes after others waits, without a candidate, until theirs are told.
    """

    def __init__(self, state: StudyState, planned: int, over: Callable[[], bool]) -> None:
        self._state = state
        self._planned = planned
        self._over = over
        self._open: dict[int, OpenTrial] = {}
        self._aside: list[OpenTrial] = []
        self._waiting: list[tuple[optuna.Trial, str]] = []
        self._done = 0

    def batch(self, size: int) -> list[OpenTrial]:
        """Up to ``size`` trials, at least one: those put aside, those that waited, and new ones."""
        taken, self._aside = self._aside[:size], self._aside[size:]
        self._look()
        for trial, group in list(self._waiting):
            if len(taken) < size and not self._must_wait(group):
                taken.append(self._released(trial, group))
        while len(taken) < size and self._left() > 0:
            item = self._ask()
            if item is not None:
                taken.append(item)
        return taken or [self._released(*self._waiting[0])]

    def another(self, group: str) -> OpenTrial | None:
        """One more trial of ``group``, if the budget has one left and it needs fitting."""
        if self._over() or self._state.cancellation.requested:
            return None
        keys = self._look()
        for item in self._aside:
            if item.group == group and self._is_new(item, keys):
                self._aside.remove(item)
                return item
        if self._left() <= 0 or len(self._aside) + len(self._waiting) >= self._state.spec.batch:
            return None
        asked = self._ask()
        if asked is None or (asked.group == group and self._is_new(asked, keys)):
            return asked
        self._aside.append(asked)
        return None

    def close(self) -> None:
        """The search is over: what is open is not judged any more, does not count, and is queued.

        A study that is continued with a larger budget asks for it again.
        """
        self._open, self._aside, self._waiting = {}, [], []
        requeue_lost(self._state.study, self._state.folder)

    def _look(self) -> set[str]:
        """Forget the open trials that were told since; the keys of all that were."""
        done = finished(self._state.study)
        numbers = {trial.number for trial in done}
        self._open = {n: item for n, item in self._open.items() if n not in numbers}
        self._done = len(done)
        return {known(trial)["key"] for trial in done if "repeats" not in known(trial)}

    def _left(self) -> int:
        """How many trials may still be asked for."""
        return self._planned - self._done - len(self._open) - len(self._waiting)

    def _must_wait(self, group: str) -> bool:
        """Whether kinds that this group's comes after have trials open, waiting or queued."""
        kinds = self._state.space.kinds
        earlier = {name for name, kind in kinds.items() if kind.name in kinds[group].after}
        if not earlier:
            return False
        queued = self._state.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        groups = {item.group for item in self._open.values()} | {name for _, name in self._waiting}
        groups |= {trial.system_attrs.get("fixed_params", {}).get("group") for trial in queued}
        return bool(groups & earlier)

    def _released(self, trial: optuna.Trial, group: str) -> OpenTrial:
        """A trial that waited gets its candidate."""
        self._waiting.remove((trial, group))
        self._tell_kinds()
        return self._opened(trial, *self._state.space.suggest(trial))

    def _is_new(self, item: OpenTrial, keys: set[str]) -> bool:
        """Neither judged nor fitted yet, nor open as a trial that was asked for earlier."""
        key = item.candidate.key
        for other in self._open.values():
            if other is item:
                break
            if other.candidate.key == key:
                return False
        return key not in keys and not self._state.folder.fitted(key).exists()

    def _ask(self) -> OpenTrial | None:
        """A new trial, or None: it has to wait."""
        self._tell_kinds()
        trial = self._state.study.ask()
        lost = self._lost(trial)
        if lost is not None:
            return self._opened(trial, *self._again(trial, lost))
        group = self._state.space.group(trial)
        if self._must_wait(group):
            self._waiting.append((trial, group))
            return None
        return self._opened(trial, *self._state.space.suggest(trial))

    def _opened(self, trial: optuna.Trial, group: str, candidate: Candidate) -> OpenTrial:
        asked = {
            "folder": str(self._state.folder.path.absolute()),
            "group": group,
            "kind": candidate.kind,
            "candidate": candidate.settings,
            "name": candidate.name,
            "key": candidate.key,
        }
        trial.set_user_attr("asked", asked)
        self._state.events.emit(TrialAsked(trial.number, candidate.kind, candidate.name))
        item = OpenTrial(trial, group, candidate)
        self._open[trial.number] = item
        return item

    def _lost(self, trial: optuna.Trial) -> FrozenTrial | None:
        """The lost trial in whose place this one stands, if its candidate is known.

        Its steps are taken over from whichever trial before it wrote some.
        """
        number = trial.user_attrs.get(AGAIN)
        if number is None:
            return None
        trials = self._state.study.get_trials(deepcopy=False)
        log = StepLog(self._state.folder.steps)
        while number is not None:
            lost: FrozenTrial = trials[number]
            log.take_over(number, trial.number)
            if "asked" in lost.user_attrs:
                return lost
            number = lost.user_attrs.get(AGAIN)
        return None

    def _again(self, trial: optuna.Trial, lost: FrozenTrial) -> tuple[str, Candidate]:
        """The very candidate of the lost trial: its kind might suggest another one by now."""
        for name, found in lost.distributions.items():  # the values are those queued
            match found:
                case CategoricalDistribution():
                    trial.suggest_categorical(name, found.choices)
                case IntDistribution():
                    trial.suggest_int(name, found.low, found.high, step=found.step, log=found.log)
                case FloatDistribution():
                    trial.suggest_float(name, found.low, found.high, step=found.step, log=found.log)
        if CURVE in lost.user_attrs:
            trial.set_user_attr(CURVE, lost.user_attrs[CURVE])
        return self._state.group_of(lost), self._state.candidate_of(lost)

    def _tell_kinds(self) -> None:
        """Kinds whose candidates build on earlier ones hear of those that are complete."""
        tell(self._state, list(self._state.space.kinds.values()))
