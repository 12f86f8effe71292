"""What all kinds share that learn parts of a prompt by gradient: dimensions, checks, the course."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, field_validator

from promptlab.candidate import Candidate
from promptlab.classifier import PromptClassifier
from promptlab.decoding import Decoding
from promptlab.errors import CapabilityError, DataError, InputError, StudyError
from promptlab.example import Example
from promptlab.fitting import Asked, Fitting
from promptlab.generator import PromptGenerator
from promptlab.kinds.dimensions import Range, pick
from promptlab.kinds.kind import LearningKind, Trial
from promptlab.kinds.template import TemplateKind, TemplateSettings
from promptlab.mixture import MixtureClassifier
from promptlab.models.language_model import LanguageModel
from promptlab.models.learned import Learned
from promptlab.models.local import LocalModel
from promptlab.parser import parser_from_settings
from promptlab.predictor import Predictor
from promptlab.task import Task
from promptlab.template import Template
from promptlab.tuning.course import Course
from promptlab.tuning.exercises import Exercises, LabelExercises, text_exercises
from promptlab.tuning.pack import Pack
from promptlab.tuning.trainee import Trainee
from promptlab.tuning.training import Schedule, Training
from promptlab.tuning.words import nearest_tokens
from promptlab.verbalizer import Verbalizer

ROOM = 8
"""A prompt must leave at least so many tokens of the window for the example's own words."""


class TunedSettings(TemplateSettings):
    """How the learned parts of a template group are trained; lists and ranges are searched.

    The names are those of `promptlab.tuning.training.Training`. ``pack`` candidates are trained
    in one batch.
    """

    learning_rate: list[float] | Range = Field(default=[0.03], min_length=1)
    batch_size: list[int] = Field(default=[16], min_length=1)
    weight_decay: list[float] | Range = Field(default=[0.0], min_length=1)
    seed: list[int] = Field(default=[13], min_length=1)
    schedule: list[Schedule] = Field(default=["linear"], min_length=1)
    epochs: int = 20
    steps: int | None = None
    warmup: float = 0.06
    clip: float = 1.0
    evaluate_every: int | None = None
    patience: int = 5
    dev_examples: int = 200
    pack: int = Field(default=8, ge=1)

    @field_validator("learning_rate")
    @classmethod
    def _above_zero(cls, value: list[float] | Range) -> list[float] | Range:
        numbers = [value.low] if isinstance(value, Range) else value
        for number in numbers:
            if not (math.isfinite(number) and number > 0):
                raise ValueError(f"a learning rate must be above 0, found {number}")
        return value


class TunedKind(LearningKind, TemplateKind):
    """Templates with learned parts, trained several at once on the frozen model."""

    settings: TunedSettings

    def __init__(self, settings: TunedSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._training(_first(settings))  # numbers that can never work are refused at once
        check_examples(task)

    def check(self, model: LanguageModel) -> None:
        """The model must give gradients, and every template with its learned parts have room."""
        local = trainable(model)
        example = (self.task.train or self.task.dev)[0]
        for option in self.options.values():
            try:
                for template, view in self._largest(option.template, local):
                    check_room(template, view)
                    for answers in self.verbalizers.values():
                        chosen = option.answers if isinstance(answers, str) else answers
                        if chosen is not None:
                            words = Verbalizer(chosen).answers
                            view.check([template.render(example)], words)
            except InputError as error:
                raise StudyError(f"template {option.name!r}: {error}") from error

    def fit_many(
        self, asked: Sequence[Asked], model: LanguageModel, fitting: Fitting
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Predictors in the order in which their training ends."""
        local = trainable(model)
        candidates: dict[int, Candidate] = {}

        def make(item: Asked) -> Trainee:
            candidates[item.number] = item.candidate
            return self._trainee(item, local, fitting)

        course = Course(Pack(local), make, fitting, room=self.settings.pack)
        for number, trained in course.run(asked):
            if isinstance(trained, Exception):
                yield number, trained
            else:
                yield number, self._predictor(candidates[number], local, trained)

    def _largest(self, template: Template, model: LocalModel) -> list[tuple[Template, LocalModel]]:
        """The template with its longest learned parts, and a model that can read it."""
        raise NotImplementedError

    def _learner(self, candidate: Candidate, model: LocalModel) -> tuple[Template, Any]:
        """The candidate's template as it is trained, and what is learned for it."""
        raise NotImplementedError

    def _trained_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """The training's dimensions; what is searched is named in ``labels``."""
        found: dict[str, Any] = {}
        for key, short in (
            ("learning_rate", "lr"),
            ("batch_size", "batch"),
            ("weight_decay", "decay"),
            ("schedule", ""),
            ("seed", "seed"),
        ):
            values = getattr(self.settings, key)
            found[key] = pick(trial, f"{prefix}{key}", values)
            if isinstance(values, Range) or len(values) > 1:
                value = found[key]
                told = f"{value:.3g}" if isinstance(value, float) else str(value)
                labels.append(f"{short} {told}".strip())
        for key in ("epochs", "steps", "warmup", "clip", "evaluate_every", "patience"):
            found[key] = getattr(self.settings, key)
        found["dev_examples"] = self.settings.dev_examples
        return {"training": found}

    def _training(self, settings: dict[str, Any]) -> Training:
        return Training(**settings)

    def _trainee(self, item: Asked, model: LocalModel, fitting: Fitting) -> Trainee:
        settings = item.candidate.settings
        template, learner = self._learner(item.candidate, model)
        training = self._training(settings["training"])
        view = model.adapted(placeholder(learner, model), keep=False)
        predictor = self._over(settings, template, view)
        predictor.fit(self.task.train)  # draws demonstrations, checks labels
        dev = self.task.dev[: training.dev_examples]
        labels = max(2, len(self.task.labels))
        return Trainee(
            learner,
            training,
            self._exercises(predictor, self.task.train, view),
            self._exercises(predictor, dev, view),
            number=item.number,
            checkpoint=fitting.checkpoint(item.candidate),
            chance=math.log(labels) if isinstance(predictor, PromptClassifier) else 1.0,
        )

    def _exercises(
        self, predictor: Predictor, examples: Sequence[Example], view: LocalModel
    ) -> Exercises:
        shares = getattr(view.engine.runner, "shares", False) and not view.prefix_tokens
        if isinstance(predictor, PromptGenerator):
            return text_exercises(predictor, examples, shares=shares)
        assert isinstance(predictor, PromptClassifier)
        return LabelExercises(predictor, examples, shares=shares)

    def _over(self, settings: dict[str, Any], template: Template, model: LocalModel) -> Any:
        """The predictor of a candidate over a model (calibration not yet learned)."""
        if "parser" in settings:
            decoding = settings["decoding"] | {"stop": tuple(settings["decoding"]["stop"])}
            return PromptGenerator(
                template,
                parser_from_settings(settings["parser"]),
                model,
                decoding=Decoding(**decoding),
            )
        return PromptClassifier(template, Verbalizer.from_settings(settings["verbalizer"]), model)

    def _predictor(self, candidate: Candidate, model: LocalModel, trained: Trainee) -> Predictor:
        settings = candidate.settings
        template, _ = self._learner(candidate, model)
        progress = trained.progress
        facts = {
            "steps": progress.step,
            "best_step": progress.best_step,
            "curve": [list(point) for point in progress.curve],
            "training": settings["training"],
        }
        learned = joined(trained.learner.learned(facts))
        if learned.vectors is not None:
            near = nearest_tokens(model, learned.vectors)
            facts["words"] = [[one.token for one in tokens] for tokens in near]
        predictor = self._over(settings, template, model.adapted(learned))
        if isinstance(predictor, PromptGenerator):
            return predictor.fit(self.task.train)
        predictor.calibration = settings["calibration"]
        if trained.learner.members > 1:
            return MixtureClassifier(predictor, trained.learner.mixture_weights())
        return predictor.fit(self.task.train)


def trainable(model: LanguageModel) -> LocalModel:
    """The model as one that gives gradients. Raises `CapabilityError` naming what would."""
    model.require("gradients")
    if not isinstance(model, LocalModel):
        raise CapabilityError(f"{model.name} is no local model; nothing can be learned through it")
    return model.base


def check_examples(task: Task) -> None:
    """Refuse a task without a training example of every label, or without dev examples."""
    if not task.train:
        raise DataError(f"{task.name} has no training examples, and there is something to learn")
    if not task.dev:
        raise DataError(f"{task.name} has no dev examples, and training stops by them")
    found = {example.label for example in task.train}
    missing = [label for label in task.labels if label not in found]
    if missing:
        raise DataError(
            f"{task.name} has {len(task.train)} training examples and none with the label "
            f"{', '.join(map(repr, missing))}; give at least one of each label (k: 16 draws 16)"
        )


def check_room(template: Template, model: LocalModel) -> None:
    """Refuse learned parts that leave no room for the example's words in the context window."""
    prompt = template.render(dict.fromkeys(template.fields, ""))
    alone = model.count_tokens(prompt)
    if alone + ROOM > model.max_tokens:
        raise InputError(
            f"the template has {alone} tokens without any text, {prompt.learned_tokens} of them "
            f"learned in the prompt and {model.prefix_tokens} in a prefix; {model.name} takes "
            f"{model.max_tokens}, which leaves no room for the text: learn fewer tokens"
        )


def placeholder(learner: Any, model: LocalModel) -> Learned:
    """Parts of the right shapes, so that prompts can be made into token ids before training."""
    return learner.learned()[0]


def joined(members: Sequence[Learned]) -> Learned:
    """All members of a mixture as one, their vectors one after the other."""
    import torch

    first = members[0]
    if len(members) == 1:
        return first
    tables = [m.vectors for m in members if m.vectors is not None]
    return Learned(
        torch.cat(tables), first.soft * len(members), first.triggers, first.prefix, first.facts
    )


def _first(settings: TunedSettings) -> dict[str, Any]:
    """One setting of every dimension, to be checked."""
    found = {}
    for key in ("learning_rate", "batch_size", "weight_decay", "seed", "schedule"):
        values = getattr(settings, key)
        found[key] = values.low if isinstance(values, Range) else values[0]
    for key in ("epochs", "steps", "warmup", "clip", "evaluate_every", "patience", "dev_examples"):
        found[key] = getattr(settings, key)
    return found
