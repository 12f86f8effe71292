"""Kind *distillation*: an ensemble of the study's best candidates taught to one classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.gradient_tuned import chance
from promptlab.candidates.head import HEAD_RATES, HeadKind, HeadSettings
from promptlab.candidates.member_pool import MemberPool, kinds_to_run_first
from promptlab.candidates.weight_dimensions import default_learning_rates
from promptlab.data.columns import Columns
from promptlab.data.duplicates import text_key
from promptlab.data.example import Example
from promptlab.data.readers import Rows, read_rows
from promptlab.data.readers.column_names import TEXT_NAMES
from promptlab.data.task import Task
from promptlab.errors import Cancelled, DataError, DiskError, StudyError, WorkError
from promptlab.evaluation.evaluation import Evaluation
from promptlab.evaluation.predictions import Predictions
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.ensemble.ensemble import Ensemble
from promptlab.predictors.head import HeadTexts
from promptlab.tuning.fit_context import CompletedTrial, FitContext, FitRequest
from promptlab.tuning.head import (
    HeadObjective,
    HeadParameters,
    HeadTrainer,
    SoftLabelObjective,
    soften_probabilities,
)
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.trainer_state import TrainState
from promptlab.tuning.weight_updates import TrainableWeights

Taught = Literal["mean", "dev_accuracy", "learned"]


class DistillationSettings(HeadSettings):
    """The student's settings are those of the kind *head* (``weights`` frozen by default).

    Its teacher is an ensemble by ``method`` of the ``top`` candidates of the groups or kinds
    ``of``. It learns the teacher's probabilities at a ``temperature`` for the texts of train,
    whose labels it does not see, and of the file ``unlabelled``, at most ``most``.
    """

    weights: list[Literal["full", "lora", "frozen"]] = Field(default=["frozen"], min_length=1)
    top: list[PositiveInt] = Field(default=[3], min_length=1)
    of: list[str] = Field(default=[])
    method: list[Taught] = Field(default=["mean"], min_length=1)
    temperature: list[PositiveFloat] = Field(default=[2.0], min_length=1)
    unlabelled: str | None = None
    most: PositiveInt = 2000

    @model_validator(mode="before")
    @classmethod
    def _rate_of_weights(cls, values: Any) -> Any:
        return default_learning_rates(values, ["frozen"], HEAD_RATES)


@dataclass(frozen=True, eq=False)
class DistillationData:
    """Texts with the teacher's log-probabilities and what these have cost, dev beside them.

    ``spent`` are tokens that no other student has accounted for.
    """

    texts: tuple[Example, ...]
    scores: Float[np.ndarray, "example label"]
    tokens: int
    spent: int
    seconds: float
    on_dev: Predictions
    teacher: dict[str, Any]


class DistillationKind(HeadKind):
    """One classifier trained on an ensemble's predictions (PET: Schick & Schütze 2021).

    Training stops by dev as every head's does; what the student is worth is told by dev and test
    as of any candidate, and how far it agrees with its teacher beside that.
    """

    name: ClassVar[str] = "distillation"
    Settings: ClassVar[type[KindSettings]] = DistillationSettings
    is_strategy: ClassVar[bool] = False
    runs_after: ClassVar[tuple[str, ...]] = kinds_to_run_first(())
    settings: DistillationSettings

    def __init__(self, settings: DistillationSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._rivals = MemberPool(settings.of, task)
        if settings.of:
            kinds = [name for name in settings.of if name != self.name]
            self.runs_after = kinds_to_run_first(kinds)  # type: ignore[misc]
        self._texts = unlabelled_texts(task, settings.unlabelled, settings.most)
        self._lessons: dict[str, DistillationData] = {}
        self._paid: dict[str, dict[str, Any]] = {}

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """The candidates that there are, best first, and the students whose teacher is paid."""
        self._rivals.observe_trials(finished)
        for one in finished:
            if one.kind == self.name:
                self._paid.setdefault(one.candidate.key, _teacher(one.candidate))

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """The student's dimensions, then its teacher's."""
        student = super().suggest(trial, prefix)
        settings = self.settings
        top = suggest_choice(trial, f"{prefix}top", settings.top)
        method = suggest_choice(trial, f"{prefix}method", settings.method)
        temperature = suggest_choice(trial, f"{prefix}temperature", settings.temperature)
        chosen = self._rivals.best(top)
        found = student.settings | {
            "top": top,
            "method": method,
            "temperature": temperature,
            "members": [one.candidate.key for one in chosen],
            "names": [one.candidate.name for one in chosen],
        }
        told = [f"distilled from the {method} of the best {len(chosen) or top}"]
        told += [f"T {temperature:g}"] if len(settings.temperature) > 1 else []
        told += student.name.split(" · ")[1:]
        return Candidate.of(self.name, found, " · ".join(told))

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Students one by one; those of one teacher share its predictions."""
        for item in asked:
            try:
                self._lessons[item.candidate.key] = self._lesson(item.candidate, model)
            except (StudyError, DiskError, Cancelled):
                raise
            except Exception as error:
                yield item.number, error
                continue
            for number, fitted in super().fit_many([item], model, fitting):
                if not isinstance(fitted, Exception):
                    self._paid.setdefault(item.candidate.key, _teacher(item.candidate))
                yield number, fitted

    def _lesson(self, candidate: Candidate, model: LanguageModel) -> DistillationData:
        """What the teacher says about the unlabelled texts: kept for its other students."""
        settings = candidate.settings
        told = _teacher(candidate)
        # A killed run may have kept the student that accounts for the teacher, before this one.
        before = takewhile(lambda key: key != candidate.key, self._paid)
        paid = any(self._paid[key] == told for key in before)
        for other in self._lessons.values():
            if other.teacher == told:
                return replace(other, spent=0 if paid else other.tokens)
        members, names = self._rivals.members(settings["members"], model, least=1)
        ensemble = Ensemble(members, settings["method"], names=names, labels=self.task.labels)
        ensemble.learn(self.task.dev)
        rows = ensemble.predict(self._texts)
        kept = [place for place, row in enumerate(rows) if row.scores is not None]
        if not kept:
            raise WorkError("the teacher has no answer for any of the unlabelled texts")
        scores = [list((rows[place].scores or {}).values()) for place in kept]
        return DistillationData(
            tuple(self._texts[place] for place in kept),
            np.array(scores),
            rows.tokens,
            0 if paid else rows.tokens,
            rows.seconds,
            ensemble.predict(self.task.dev),
            told,
        )

    def _trainee(
        self,
        item: FitRequest,
        learner: HeadParameters,
        texts: HeadTexts,
        fitting: FitContext,
        backbone: TrainableWeights | None,
    ) -> TrainState:
        training = TrainingConfig(**item.candidate.settings["training"])
        lesson, labels = self._lessons[item.candidate.key], self.task.labels
        targets = soften_probabilities(lesson.scores, item.candidate.settings["temperature"])
        return TrainState(
            learner,
            training,
            SoftLabelObjective(texts, labels, lesson.texts, targets),
            HeadObjective(texts, labels, self.task.dev[: training.dev_examples]),
            number=item.number,
            checkpoint=fitting.checkpoint(item.candidate),
            chance=chance(self.task),
            spacing=backbone.spacing if backbone else 0.0,
        )

    def _facts(
        self, candidate: Candidate, trainee: TrainState, pack: HeadTrainer
    ) -> dict[str, Any]:
        lesson = self._lessons[candidate.key]
        table, _ = pack.scores(trainee, trainee.train)
        same = (table.argmax(axis=1) == lesson.scores.argmax(axis=1)).mean()
        on_dev = trainee.dev
        assert isinstance(on_dev, HeadObjective)
        found, _ = pack.scores(trainee, on_dev)
        student = on_dev.predictions(range(len(on_dev)), found)
        teacher = {row.example_id: row.label for row in lesson.on_dev}
        agreed = [row.label == teacher[row.example_id] for row in student]
        told = {
            "method": lesson.teacher["method"],
            "members": lesson.teacher["names"],
            "texts": len(lesson.texts),
            "left_out": len(self._texts) - len(lesson.texts),
            "agreement": float(same),
            "dev_agreement": sum(agreed) / len(agreed),
            "teacher_dev_accuracy": Evaluation.from_predictions(lesson.on_dev).accuracy,
            "teacher_tokens": lesson.tokens,
            "teacher_seconds": lesson.seconds,
            "teacher_tokens_per_example": lesson.tokens / (len(lesson.texts) or 1),
        }
        facts = super()._facts(candidate, trainee, pack)
        return facts | {
            "tokens": pack.reader.computed_tokens + lesson.spent,
            "distillation": told,
        }


def _teacher(candidate: Candidate) -> dict[str, Any]:
    """Who teaches a student."""
    return {key: candidate.settings[key] for key in ("method", "members", "names")}


def unlabelled_texts(task: Task, path: str | None, most: int) -> list[Example]:
    """The texts of train without their labels, then those of a file, at most ``most``.

    A text of dev or test is left out: the student must not be taught on what judges it. Raises
    `DataError` for a file that lacks the task's fields.
    """
    found = {text_key(e): replace(e, label=None) for e in task.train}
    judged = {text_key(e) for e in (*task.dev, *task.test)}
    if path is not None:
        if not Path(path).exists():
            raise DataError(f"unlabelled: there is no file {path}")
        rows = read_rows(path)
        for example in _columns(rows, task.fields, path).to_examples(rows, prefix="unlabelled-"):
            found.setdefault(text_key(example), example)
    return [example for key, example in found.items() if key not in judged][:most]


def _columns(rows: Rows, fields: Sequence[str], path: str) -> Columns:
    """The columns of the task's fields; one field alone may have a usual name for a text."""
    named = [column for column in rows.columns if column.strip().lower() in TEXT_NAMES]
    if all(field in rows.columns for field in fields):
        return Columns({field: field for field in fields})
    if len(fields) == 1 and len(named or rows.columns) == 1:
        return Columns({(named or list(rows.columns))[0]: fields[0]})
    raise DataError(
        f"unlabelled: {path} has the columns {', '.join(rows.columns)}, and the task reads "
        f"{', '.join(fields)}"
    )
