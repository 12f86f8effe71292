"""What a running study holds: everything that deciding it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import Kind, fit_one
from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import InputError
from promptlab.evaluation.evaluation import Texts
from promptlab.evaluation.predictions import Predictions
from promptlab.evaluation.statistics import Comparison
from promptlab.events import Events, Warned
from promptlab.files.cache import remove
from promptlab.files.checksums import find_difference
from promptlab.files.saved_predictor.folder import DOCUMENT
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor, load
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.saved_model import saved_weights_hash
from promptlab.study.folder.folder import StudyFolder
from promptlab.study.folder.provenance import StudyProvenance
from promptlab.study.spec.objective import Objective, compare_paired, summarize_predictions
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.trials import FITTED, table_checksum, trial_record
from promptlab.tuning.fit_context import CompletedTrial, FitContext


def notify_kinds(context: StudyContext, kinds: Sequence[Kind], task: Task | None = None) -> None:
    """Tell the kinds that listen of all complete trials so far.

    With another ``task`` they hear of predictors that are fitted anew on it, without the
    predictions of those that were judged.
    """
    curious = [kind for kind in kinds if type(kind).observe_trials is not Kind.observe_trials]
    if not curious:
        return
    complete = [
        _completed_trial(context, trial) if task is None else _make_completed(context, trial, task)
        for trial in context.history.finished
        if trial.state == TrialState.COMPLETE and "repeats" not in trial_record(trial)
    ]
    for kind in curious:
        kind.observe_trials(complete)


def _completed_trial(context: StudyContext, trial: FrozenTrial) -> CompletedTrial:
    """A complete trial as it was told before, if nothing has changed since."""
    before, made = context.completed.get(trial.number, (None, None))
    if before is not trial or made is None:
        made = _make_completed(context, trial, None)
        context.completed[trial.number] = trial, made
    return made


def _make_completed(context: StudyContext, trial: FrozenTrial, task: Task | None) -> CompletedTrial:
    facts, candidate = trial_record(trial), context.candidate_of(trial)
    folder = context.fitted_folder(trial)
    sign = 1 if context.objectives[0].maximise else -1
    return CompletedTrial(
        number=trial.number,
        kind=candidate.kind,
        candidate=candidate,
        value=sign * trial.values[0],
        folder=folder,
        group=context.group_of(trial),
        predictions=None if task else context.folder.predictions_file(trial.number),
        checksum=None if task else table_checksum(context.study, trial),
        tokens=float(facts.get("tokens_per_example") or 0.0),
        prompt=str(facts.get("prompt") or ""),
        member=partial(context.fit, trial, task),
    )


@dataclass(frozen=True)
class StudyContext:
    """A study with its task, model, space and storage; ``examples`` are dev in its one order.

    ``completed`` holds complete trials as kinds were told of them, by number.
    """

    spec: StudySpec
    folder: StudyFolder
    task: Task
    model: LanguageModel
    space: SearchSpace
    objectives: Sequence[Objective]
    examples: Sequence[Example]
    study: optuna.Study
    events: Events
    cancellation: Cancellation
    history: TrialHistory
    provenance: StudyProvenance = field(default_factory=StudyProvenance)
    completed: dict[int, tuple[FrozenTrial, CompletedTrial]] = field(default_factory=dict)

    def dev_score(self, rows: Predictions) -> float:
        """The first objective, its sign changed if need be so that larger is better."""
        objective = self.objectives[0]
        return (1 if objective.maximise else -1) * float(objective.compute(rows))

    def candidate_of(self, trial: FrozenTrial) -> Candidate:
        """What a trial was asked to be."""
        facts = trial_record(trial)
        return Candidate.of(facts["kind"], facts["candidate"], facts["name"])

    def group_of(self, trial: FrozenTrial) -> str:
        """The group of the space that a trial was asked from."""
        group: str = trial_record(trial)["group"]
        return group

    def load_fitted(self, candidate: Candidate) -> Predictor | None:
        """The fitted predictor that is kept of a candidate, if there is one."""
        folder = self.folder.fitted_folder(candidate.key)
        if not folder.exists():
            return None
        then, now = saved_weights_hash(folder), self.model.describe().get("weights")
        if then is not None and then != now:
            self.events.emit(Warned(f"{candidate.name} is fitted again: it was on other weights"))
            remove(folder)
            return None
        return load(folder, self.model)

    def fitted_folder(self, trial: FrozenTrial) -> Path | None:
        """Where a trial's predictor is kept, if it is; one that was changed is told and removed."""
        candidate, expected = self.candidate_of(trial), trial_record(trial).get(FITTED)
        folder = self.folder.fitted_folder(candidate.key)
        if not folder.exists():
            return None
        told = None if expected is None else find_difference(folder / DOCUMENT, expected)
        if told is None:
            return folder
        self.events.emit(
            Warned(f"{candidate.name} is fitted again when it is needed: {folder}: {told}")
        )
        remove(folder)
        return None

    def _load_unchanged(self, trial: FrozenTrial, candidate: Candidate) -> Predictor | None:
        """What is kept of a candidate; what cannot be read is told, and fitted again."""
        if self.fitted_folder(trial) is None:
            return None
        try:
            return self.load_fitted(candidate)
        except InputError as error:
            self.events.emit(Warned(f"{candidate.name} is fitted again: {error}"))
            remove(self.folder.fitted_folder(candidate.key))
            return None

    def fit(self, trial: FrozenTrial, task: Task | None = None) -> Predictor:
        """The predictor of a finished trial, loaded if it is kept, else fitted again.

        Controls give another ``task``, on which it is always fitted anew.
        """
        candidate = self.candidate_of(trial)
        kind = self.space.kinds[self.group_of(trial)]
        if task is not None:
            kind = type(kind)(kind.settings, task)
        elif kind.saves_fitted and (kept := self._load_unchanged(trial, candidate)) is not None:
            return kept
        notify_kinds(self, [kind], task)
        fitting = FitContext(self.dev_score, cancellation=self.cancellation)
        return fit_one(kind, candidate, self.model, fitting)

    @cached_property
    def dev_texts(self) -> Texts:
        """What makes examples of dev the same text, by their ids."""
        return {example.id: text_key(example) for example in self.examples}

    @cached_property
    def test_texts(self) -> Texts:
        """What makes examples of test the same text, by their ids."""
        return {example.id: text_key(example) for example in self.task.test}

    def compare_on_dev(self, a: Predictions, b: Predictions) -> Comparison:
        """a with b on the dev examples that both answered, as `compare_paired` compares them."""
        return compare_paired(self.objectives[0], a, b, seed=self.spec.seed, texts=self.dev_texts)

    def compare_on_test(self, a: Predictions, b: Predictions) -> Comparison:
        """a with b on the test examples that both answered, as `compare_paired` compares them."""
        return compare_paired(self.objectives[0], a, b, seed=self.spec.seed, texts=self.test_texts)

    def dev_summary(self, rows: Predictions) -> dict[str, Any]:
        """What predictions of dev come to, as JSON data."""
        return summarize_predictions(rows, self.objectives, self.dev_texts)

    def test_summary(self, rows: Predictions) -> dict[str, Any]:
        """What predictions of test come to, as JSON data."""
        return summarize_predictions(rows, self.objectives, self.test_texts)
