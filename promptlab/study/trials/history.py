"""All trials of a study as a run knows them: read once, written through, counted in memory."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.in_memory_study import FIXED, RUNG, SAMPLED, TOLD, InMemoryStudy
from promptlab.study.trials.trials import (
    AGAIN,
    COMPLETED,
    batch_number,
    counted_trials,
    read_trials,
    trial_record,
    with_answers,
)

Attributes = Mapping[str, Any]


class NumberTaken(Exception):
    """Another process has asked for a trial of the study meanwhile."""


class TrialHistory:
    """The trials of ``study``, which ``storage`` holds; those of this run's folder may be open.

    A trial appears in the storage whole, as it was asked for. What is found is written there
    before its state is, so that one that a killed process left unfinished is as it was asked, and
    is taken up again under its own number. ``belongs_to`` says by what was asked whether a trial
    that is not told is this folder's. Nothing is read twice; `refresh` takes in what other
    processes have written meanwhile.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: optuna.storages.BaseStorage,
        spec: StudySpec,
        blocks: int,
        is_ours: Callable[[Attributes], bool],
    ) -> None:
        self._study = study
        self._storage = storage
        self._id = storage.get_study_id_from_name(study.study_name)
        self._is_ours = is_ours
        self._memory = InMemoryStudy(spec, blocks, study.directions, study.study_name)
        self.refresh()

    def refresh(self) -> None:
        """Read all trials; what is unfinished and this folder's is as it was asked."""
        trials = read_trials(self._study)
        replaced = {trial.user_attrs.get(AGAIN) for trial in trials}
        self._trials = [self._as_asked(trial) for trial in trials]
        self._finished = {t.number: t for t in counted_trials(self._trials)}
        self._by_key: dict[str, FrozenTrial] = {}
        self._kinds: dict[str, list[int]] = {}
        self.batches: dict[int, list[int]] = {}
        self._params: set[str] = set()
        self._keys: set[str] = set()
        for trial in self._finished.values():
            self._index(trial)
        for trial in self._trials:
            if trial.number not in replaced and (
                trial.state != TrialState.FAIL or trial.number in self._finished
            ):
                self._mark_taken(trial)
        self._replaced = replaced
        self.waiting = [trial for trial in self._trials if trial.state == TrialState.WAITING]
        self._load_memory()

    def _load_memory(self) -> None:
        """Let the memory hold the trials as they are; one that was replaced has no value."""
        self._memory.load(
            [_as_failed(t) if t.number in self._replaced else t for t in self._trials]
        )

    def _as_asked(self, trial: FrozenTrial) -> FrozenTrial:
        """An open trial of this folder without what a killed run has found of it.

        One that was not asked to the end waits to be asked with the parameters that it has.
        """
        asked = trial.user_attrs.get("asked", {})
        if trial.state != TrialState.RUNNING or not self._is_ours(asked):
            return trial
        made = copy.copy(trial)
        made.intermediate_values = {}
        made.system_attrs = {k: v for k, v in trial.system_attrs.items() if not k.startswith(RUNG)}
        made.user_attrs = {k: v for k, v in trial.user_attrs.items() if k != "found"}
        if not asked:
            made.state, made.datetime_start = TrialState.WAITING, None
            given: Any = made.system_attrs.get(FIXED, {})
            made.system_attrs = {FIXED: {**given, **trial.params}}
            made.params, made.distributions = {}, {}
        return made

    def _index(self, trial: FrozenTrial) -> None:
        """Find a told trial again by its candidate, its kind and its batch."""
        facts = trial_record(trial)
        if "repeats" not in facts:
            self._by_key.setdefault(facts["key"], trial)
        self._kinds.setdefault(facts["kind"], []).append(trial.number)
        if self._is_ours(trial.user_attrs["asked"]):
            self.batches.setdefault(batch_number(trial), []).append(trial.number)

    def _mark_taken(self, trial: FrozenTrial) -> None:
        given: Any = trial.system_attrs.get(FIXED, {})
        self._params.add(_params_key({**given, **trial.params}))
        if (key := trial_record(trial).get("key")) is not None:
            self._keys.add(key)

    @property
    def memory_study(self) -> optuna.Study:
        """The trials with their parameters and values, without what was found of them."""
        return self._memory.study

    @property
    def count(self) -> int:
        """How many trials count towards the budget."""
        return len(self._finished)

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials that count towards the budget, in order."""
        return [self._finished[number] for number in sorted(self._finished)]

    @property
    def has_complete(self) -> bool:
        """Whether any trial is complete."""
        return any(trial.state == TrialState.COMPLETE for trial in self._finished.values())

    @property
    def open(self) -> list[FrozenTrial]:
        """This folder's trials that are asked and not told, in order."""
        return [
            trial
            for trial in self._trials
            if trial.state == TrialState.RUNNING and self._is_ours(trial.user_attrs["asked"])
        ]

    def trial(self, number: int) -> FrozenTrial:
        """The trial of a number."""
        return self._trials[number]

    def find_judged(self, key: str) -> FrozenTrial | None:
        """The trial by which a candidate (its key) was judged, if it was."""
        return self._by_key.get(key)

    def is_taken(self, params: Attributes, key: str) -> bool:
        """Whether a candidate, or one of these parameters, was asked for or is queued."""
        return key in self._keys or _params_key(params) in self._params

    def is_finished(self, number: int) -> bool:
        """Whether a trial has ended."""
        return self._trials[number].state.is_finished()

    def finished_in(self, batch: int) -> list[FrozenTrial]:
        """This folder's trials of a batch that are told, in order."""
        return [self._trials[number] for number in sorted(self.batches.get(batch, []))]

    def of_kind(self, kind: str) -> list[FrozenTrial]:
        """The trials of a kind that count, in the order in which they were told."""
        return [self._trials[number] for number in self._kinds.get(kind, [])]

    def __len__(self) -> int:
        """How many trials there are of any kind."""
        return len(self._trials)

    def first_number(self, number: int) -> int:
        """The number of the first trial in whose place one stands, mostly its own."""
        while (before := self._trials[number].user_attrs.get(AGAIN)) is not None:
            number = before
        return number

    def ask(self, params: Attributes | None = None) -> optuna.Trial:
        """A trial to be suggested, in memory alone: `store` writes it, `discard` forgets it."""
        return self._memory.ask(params)

    def discard(self) -> None:
        """Forget the trial of `ask`: the next one is asked as if it had not been."""
        self._load_memory()

    def store(self, number: int, asked: Attributes) -> None:
        """Write the trial of `ask` with what it was asked to be.

        Raises `NumberTaken` when another process has taken its number; the trials are read anew.
        """
        trial, noted = self._memory.suggested(number)
        made = copy.copy(trial)
        made.user_attrs = {"asked": _as_stored({**asked, **({SAMPLED: noted} if noted else {})})}
        if number < len(self._trials):
            self._store_queued(number, made)
        else:
            key = self._storage.create_new_trial(self._id, made)
            if self._key(number) != key:  # reading the trial back would parse all of its choices
                self._storage.set_trial_state_values(key, TrialState.FAIL)
                self.refresh()
                raise NumberTaken
            self._trials.append(made)
        self._mark_taken(made)

    def _store_queued(self, number: int, made: FrozenTrial) -> None:
        """Write a queued trial, or one that a killed run had not asked to the end."""
        key, before = self._key(number), self._trials[number]
        self._storage.set_trial_state_values(key, TrialState.RUNNING)  # unless it is
        for name, value in made.params.items():
            distribution = made.distributions[name]
            internal = distribution.to_internal_repr(value)
            self._storage.set_trial_param(key, name, internal, distribution)
        for name, value in made.system_attrs.items():
            self._storage.set_trial_system_attr(key, name, value)
        self._storage.set_trial_user_attr(key, "asked", made.user_attrs["asked"])
        made.user_attrs = before.user_attrs | made.user_attrs
        self._trials[number] = made
        self.waiting.remove(before)

    def set_attribute(self, number: int, name: str, value: Any) -> None:
        """Write what is found about an open trial."""
        self._storage.set_trial_user_attr(self._key(number), name, value)
        made = copy.copy(self._trials[number])
        made.user_attrs = made.user_attrs | {name: _as_stored(value)}
        self._trials[number] = made

    def report(self, number: int, step: int, value: float) -> bool:
        """Take in a value of a trial; whether the pruner gives it up. It is written by `tell`."""
        return self._memory.report(number, step, value)

    def tell(
        self, number: int, state: TrialState, values: Sequence[float] | None, found: Attributes
    ) -> None:
        """Write what was found of a trial, and at last that it is told."""
        found = _as_stored({**found, TOLD: self.count})
        noted = self._memory.trial(number)
        values = self._memory.tell(number, state, values)
        key = self._key(number)
        for step, value in noted.intermediate_values.items():
            self._storage.set_trial_intermediate_value(key, step, value)
        for name, value in noted.system_attrs.items():
            if name.startswith(RUNG):
                self._storage.set_trial_system_attr(key, name, value)
        self._storage.set_trial_user_attr(key, "found", found)
        self._storage.set_trial_state_values(key, state, values)
        made = copy.copy(self._trials[number])
        made.user_attrs = made.user_attrs | {"found": found}
        made.intermediate_values, made.system_attrs = noted.intermediate_values, noted.system_attrs
        made.state, made.values = state, values
        self._trials[number] = self._finished[number] = made
        self._index(made)

    def store_answers(self, number: int, values: Sequence[float], found: Attributes) -> None:
        """Write what is known by now of a trial that was told with examples unanswered."""
        record = _as_stored({"values": list(values), "found": dict(found)})
        self._storage.set_study_user_attr(self._id, f"{COMPLETED}{number}", record)
        made = with_answers(self._trials[number], record)
        self._trials[number] = self._finished[number] = made
        if trial_record(made)["key"] in self._by_key:
            self._by_key[trial_record(made)["key"]] = made
        self._load_memory()

    def _key(self, number: int) -> int:
        """By what the storage knows a trial."""
        return self._storage.get_trial_id_from_study_id_trial_number(self._id, number)


def _as_failed(trial: FrozenTrial) -> FrozenTrial:
    made = copy.copy(trial)
    made.state, made.values = TrialState.FAIL, None
    return made


def _params_key(params: Attributes) -> str:
    return json.dumps(params, sort_keys=True)


def _as_stored(value: Any) -> Any:
    """As it is read from a storage."""
    return json.loads(json.dumps(value))
