"""What all kinds share that learn parts of a prompt by gradient: dimensions, checks, the course."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import Field

from promptlab.candidates.base import LearningKind, Trial
from promptlab.candidates.template import Option, TemplateKind, TemplateSettings
from promptlab.candidates.training_dimensions import (
    TrainingSettings,
    every_training,
    training_dimensions,
)
from promptlab.data.example import Example
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, DataError, InputError, StudyError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.soft_prompt_mixture import MixtureClassifier
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.prompt import Soft, Text
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.nearest_tokens import nearest_facts, nearest_notes
from promptlab.tuning.objectives import LabelObjective, TrainingObjective, make_text_objective
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.parameters import PromptParameters
from promptlab.tuning.trainer_state import TrainState
from promptlab.tuning.training_loop import TrainingLoop

_STARTED = ("init", "init_text", "encoder", "from")
"""Settings that say where learned parts started."""
ROOM = 8
"""A prompt must leave at least so many tokens of the window for the example's own words."""


class TunedSettings(TrainingSettings, TemplateSettings):
    """A template group with learned parts. ``pack`` candidates are trained in one batch."""

    pack: int = Field(default=8, ge=1)


class TunedKind(LearningKind, TemplateKind):
    """Templates with learned parts, trained several at once on the frozen model."""

    settings: TunedSettings

    def __init__(self, settings: TunedSettings, task: Task) -> None:
        super().__init__(settings, task)
        for numbers in every_training(settings):
            TrainingConfig(**numbers)  # what can never work is refused at once
        self._check_examples()

    def _check_examples(self) -> None:
        """Refuse a task that nothing can be learned from."""
        check_examples(self.task)

    def check(self, model: LanguageModel) -> None:
        """The model must give gradients, and every template with its learned parts have room."""
        local = trainable(model)
        example = (self.task.train or self.task.dev)[0]
        for option in self.options.values():
            try:
                for template, view in self._largest(option.template, local):
                    for chat in self.settings.chat:
                        chosen = replace(template, chat=chat or template.chat)
                        self._check_prompts(option, chosen, view, example)
            except InputError as error:
                raise StudyError(f"template {option.name!r}: {error}") from error

    def _check_prompts(
        self, option: Option, template: Template, view: LocalModel, example: Example
    ) -> None:
        """The template must have room for words and answers, and these must be sayable."""
        check_room(template, view)
        check_read(template, view)
        if option.parser is not None and option.answers is None:
            view.require("generate")
            return
        for answers in self.verbalizers.values():
            chosen = option.answers if isinstance(answers, str) else answers
            if chosen is not None:
                classifier = PromptClassifier(template, Verbalizer(chosen), view)
                view.check([classifier.render_prompt(example)], classifier.verbalizer.answers)

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Predictors in the order in which their training ends."""
        local = trainable(model)
        candidates: dict[int, Candidate] = {}

        def make(item: FitRequest) -> TrainState:
            candidates[item.number] = item.candidate
            return self._trainee(item, local, fitting)

        def notes(trainee: TrainState) -> dict[str, str]:
            vectors = trainee.learner.vectors()
            if vectors is None:
                return {}
            template = candidates[trainee.number].settings["template"]
            source = Template.from_settings(template).source
            return nearest_notes(local, vectors.detach()) | {"template": source}

        pack = PackedTrainer(local)
        course = TrainingLoop(pack, make, fitting, room=self.settings.pack, notes=notes)
        for number, trained in course.run(asked):
            if isinstance(trained, Exception):
                yield number, trained
            else:
                yield number, self._predictor(candidates[number], local, trained)

    @abstractmethod
    def _largest(self, template: Template, model: LocalModel) -> list[tuple[Template, LocalModel]]:
        """The template with its longest learned parts, and a model that can read it."""

    @abstractmethod
    def _learner(self, candidate: Candidate, model: LocalModel) -> tuple[Template, Any]:
        """The candidate's template as it is trained, and what is learned for it."""

    def _trained_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """The training's dimensions; what is searched is named in ``labels``."""
        return {"training": training_dimensions(self.settings, trial, prefix, labels)}

    def _trainee(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> TrainState:
        template, learner = self._learner(item.candidate, model)
        training = TrainingConfig(**item.candidate.settings["training"])
        return self._in_training(item, template, learner, training, model, fitting)

    def _in_training(
        self,
        item: FitRequest,
        template: Template,
        learner: PromptParameters,
        training: TrainingConfig,
        model: LocalModel,
        fitting: FitContext,
        *,
        spacing: float = 0.0,
    ) -> TrainState:
        """The learner with what it is trained on; it goes on from its checkpoint if there is one.

        On a frozen network the states of what stands before all that is learned are shared.
        """
        view = model.with_learned_parts(placeholder(learner, model), keep=False)
        predictor = self._over(item.candidate.settings, template, view)
        predictor.fit(self.task.train)  # draws demonstrations, checks labels
        dev = self.task.dev[: training.dev_examples]
        shares = view.engine.runner.can_share_prefixes and not view.prefix_tokens
        shares = shares and not learner.weights
        return TrainState(
            learner,
            training,
            _exercises(predictor, self.task.train, shares=shares),
            _exercises(predictor, dev, shares=shares),
            number=item.number,
            checkpoint=fitting.checkpoint(item.candidate),
            chance=chance(self.task) if isinstance(predictor, PromptClassifier) else 1.0,
            spacing=spacing,
        )

    def _over(self, settings: dict[str, Any], template: Template, model: LocalModel) -> Any:
        """The predictor of a candidate over a model (calibration not yet learned)."""
        if "parser" in settings:
            return PromptGenerator(
                template,
                parser_from_settings(settings["parser"]),
                model,
                decoding=Decoding.from_settings(settings["decoding"]),
            )
        return PromptClassifier(template, Verbalizer.from_settings(settings["verbalizer"]), model)

    def _predictor(self, candidate: Candidate, model: LocalModel, trained: TrainState) -> Predictor:
        template, _ = self._learner(candidate, model)
        learned = join_members(trained.learner.learned(training_facts(candidate, trained)))
        learned.facts.update(nearest_facts(model, learned))
        settings, view = candidate.settings, model.with_learned_parts(learned)
        if trained.learner.members > 1:
            mixed = self._over(settings, template, view)
            mixed.calibration = settings["calibration"]
            return MixtureClassifier(mixed, trained.learner.mixture_weights())
        return self._fitted(settings, template, view)

    def _fitted(self, settings: dict[str, Any], template: Template, model: LocalModel) -> Predictor:
        """The predictor over a model with all that was learned, calibrated as it is to be."""
        predictor = self._over(settings, template, model)
        if isinstance(predictor, PromptClassifier):
            predictor.calibration = settings["calibration"]
        fitted: Predictor = predictor.fit(self.task.train)
        return fitted


def _exercises(
    predictor: Predictor, examples: Sequence[Example], *, shares: bool
) -> TrainingObjective:
    if isinstance(predictor, PromptGenerator):
        return make_text_objective(predictor, examples, shares=shares)
    assert isinstance(predictor, PromptClassifier)
    return LabelObjective(predictor, examples, shares=shares)


def chance(task: Task) -> float:
    """The loss of guessing among the task's labels in nats."""
    return math.log(max(2, len(task.labels)))


def training_facts(candidate: Candidate, trained: TrainState) -> dict[str, Any]:
    """Notes on how something was learned, kept with it."""
    progress = trained.progress
    return {
        "steps": progress.step,
        "best_step": progress.best_step,
        "curve": [list(point) for point in progress.curve],
        "training": candidate.settings["training"],
        "start": {key: candidate.settings[key] for key in _STARTED if key in candidate.settings},
    }


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


def check_read(template: Template, model: LocalModel) -> None:
    """Refuse learned vectors at the very end of what a causal model reads: they change nothing."""
    prompt = template.render(dict.fromkeys(template.fields, "x"))
    words = [s for s in prompt.segments if not isinstance(s, Text) or s.text.strip()]
    if model.family == "causal" and isinstance(words[-1], Soft):
        raise InputError(
            f"nothing follows the last {{soft:{words[-1].count}}}, and a causal model reads from "
            "left to right, so these vectors would change nothing; put them before {mask}"
        )


def placeholder(learner: Any, model: LocalModel) -> LearnedParts:
    """Parts of the right shapes, so that prompts can be made into token ids before training."""
    return learner.learned()[0]


def join_members(members: Sequence[LearnedParts]) -> LearnedParts:
    """All members of a mixture as one, their vectors one after the other."""
    import torch

    first = members[0]
    if len(members) == 1:
        return first
    tables = [m.vectors for m in members if m.vectors is not None]
    return LearnedParts(
        torch.cat(tables), first.soft * len(members), first.triggers, first.prefix, first.facts
    )
