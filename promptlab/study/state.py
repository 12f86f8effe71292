"""What a running study holds: everything that deciding it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from promptlab.cancellation import Cancellation
from promptlab.candidate import Candidate
from promptlab.events import Events
from promptlab.example import Example
from promptlab.models.language_model import LanguageModel
from promptlab.predictions import Predictions
from promptlab.predictor import Predictor
from promptlab.statistics import Comparison, mcnemar_exact, paired_bootstrap
from promptlab.study.folder import StudyFolder
from promptlab.study.objective import Objective
from promptlab.study.space import Space
from promptlab.study.spec import StudySpec
from promptlab.task import Task


def known(trial: FrozenTrial) -> dict[str, Any]:
    """All that a run has written about a trial: its candidate, and what was found."""
    return {**trial.user_attrs.get("asked", {}), **trial.user_attrs.get("found", {})}


@dataclass(frozen=True)
class StudyState:
    """A study with its task, model, space and storage; ``examples`` are dev in its one order."""

    spec: StudySpec
    folder: StudyFolder
    task: Task
    model: LanguageModel
    space: Space
    objectives: Sequence[Objective]
    examples: Sequence[Example]
    study: optuna.Study
    events: Events
    cancellation: Cancellation

    def fit(self, trial: FrozenTrial, task: Task | None = None) -> Predictor:
        """The predictor of a finished trial, fitted again (on another task for controls)."""
        facts = known(trial)
        candidate = Candidate.of(facts["kind"], facts["candidate"], facts["name"])
        kind = next(k for k in self.space.kinds.values() if k.name == candidate.kind)
        if task is not None:
            kind = type(kind)(kind.settings, task)
        return kind.fit(candidate, self.model)

    def compare(self, a: Predictions, b: Predictions) -> Comparison:
        """a with b on the same examples: McNemar for accuracy, else a paired bootstrap."""
        objective = self.objectives[0]
        if objective.name == "accuracy":
            return mcnemar_exact(a.correct, b.correct)
        left, right = objective.per_example(a), objective.per_example(b)
        if left is None or right is None:
            return mcnemar_exact(a.correct, b.correct)
        return paired_bootstrap(left, right, seed=self.spec.seed)
