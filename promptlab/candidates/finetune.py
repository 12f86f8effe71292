"""Kind *finetune*: prompt-based fine-tuning, of the prompt's vectors, the model, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from promptlab.candidates.base import KindSettings, Trial, fit_sequentially
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.gradient_tuned import check_examples, trainable, training_facts
from promptlab.candidates.soft_prompt import SoftPromptKind, SoftPromptSettings
from promptlab.candidates.training_dimensions import (
    Numbers,
    above_zero,
    suggest_setting,
    training_dimensions,
)
from promptlab.candidates.weight_dimensions import (
    RATES,
    WeightSettings,
    check_train,
    check_weights,
    default_learning_rates,
    low_rank,
    weight_dimensions,
)
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import free_memory
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.template import Template
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.nearest_tokens import nearest_facts
from promptlab.tuning.packed_trainer import PackedTrainer
from promptlab.tuning.parameters import PromptParameters
from promptlab.tuning.phase import PhaseContext
from promptlab.tuning.soft_prompt import soft_segments
from promptlab.tuning.training_loop import train_one
from promptlab.tuning.weight_updates import TrainableWeights, WeightParameters, WeightsName

Mode = Literal["soft", "model", "soft_then_model", "both"]
_TOLD = {
    "soft": "soft prompt",
    "model": "tuned model",
    "soft_then_model": "soft prompt, then model",
    "both": "soft prompt and model",
}


class FinetuneSettings(SoftPromptSettings, WeightSettings):
    """What is trained: ``mode``, and of the model ``weights``.

    *soft* is the kind soft_prompt; *model* leaves the prompt as it is; *soft_then_model* trains
    the model with the vectors that were learned before it; *both* at once. ``learning_rate`` is
    that of the weights (2e-5, 2e-4 for LoRA), ``soft_learning_rate`` that of the vectors.
    """

    mode: list[Mode] = Field(default=["model"], min_length=1)
    weights: list[WeightsName] = Field(default=["full"], min_length=1)
    soft_learning_rate: Numbers = Field(default=[0.03], min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _rate_of_weights(cls, values: Any) -> Any:
        return default_learning_rates(values, ["full"], RATES)

    @field_validator("soft_learning_rate")
    @classmethod
    def _soft_above_zero(cls, value: Numbers) -> Numbers:
        return above_zero(value)


class FinetuneKind(SoftPromptKind):
    """Prompt-based fine-tuning (Schick & Schütze 2021; Gao et al. 2021; book, Fig. 3.18).

    The loss is the soft prompt's, over the same templates; weights are trained in a private copy
    in fp32, one candidate at a time. Without training examples a candidate is what it would
    start from: the model as it is, with the prompt's vectors (if any) at their initialisation.
    """

    name: ClassVar[str] = "finetune"
    packages: ClassVar[tuple[str, ...]] = ("peft",)
    Settings: ClassVar[type[KindSettings]] = FinetuneSettings
    settings: FinetuneSettings

    def __init__(self, settings: FinetuneSettings, task: Task) -> None:
        super().__init__(settings, task)
        if max(settings.members) > 1 and set(settings.mode) != {"soft"}:
            raise StudyError(
                "members: a mixture of soft prompts is learned on a frozen model; use mode: [soft]"
            )

    def check(self, model: LanguageModel) -> None:
        """As for soft prompts, and the weights must be trainable."""
        check_train(self.task)
        super().check(model)
        if set(self.settings.mode) != {"soft"}:
            check_weights(self.settings, trainable(model))

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Soft prompts in packs, then tuned models one by one."""
        local = trainable(model)
        soft = [item for item in asked if item.candidate.settings["mode"] == "soft"]
        if soft and self.task.train:
            yield from super().fit_many(soft, model, PhaseContext(fitting, "soft"))
            asked = [item for item in asked if item not in soft]
        yield from fit_sequentially(asked, fitting, lambda item: self._one(item, local, fitting))

    def _one(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> Predictor:
        template, prompt = self._prompt(item.candidate, model)
        if not self.task.train:
            start = LearnedParts() if prompt is None else prompt.learned({"untrained": True})[0]
            view = model if prompt is None else model.with_learned_parts(start)
            return self._fitted(item.candidate.settings, template, view)
        try:
            learned = self._tuned(item, template, prompt, model, fitting)
        finally:
            free_memory()  # the private copy, before the predictor makes one of its own
        return self._fitted(item.candidate.settings, template, model.with_learned_parts(learned))

    def _tuned(
        self,
        item: FitRequest,
        template: Template,
        prompt: PromptParameters | None,
        model: LocalModel,
        fitting: FitContext,
    ) -> LearnedParts:
        settings = item.candidate.settings
        training = TrainingConfig(**settings["training"])
        before = None
        if settings["mode"] == "soft_then_model":
            assert prompt is not None
            first = PhaseContext(fitting, "soft")
            soft = replace(training, learning_rate=settings["soft_learning_rate"])
            make = self._in_training(item, template, prompt, soft, model, first)
            before = train_one(make, PackedTrainer(model), item, first).progress
        backbone = TrainableWeights(model, low_rank(item.candidate), seed=training.seed)
        together = settings["mode"] == "both"
        scale = settings["soft_learning_rate"] / training.learning_rate if together else 0.0
        learner = WeightParameters(backbone.parameters, prompt, scale)
        phase = PhaseContext(fitting, "model", before)
        tuned = self._in_training(
            item, template, learner, training, backbone.model, phase, spacing=backbone.spacing
        )
        trained = train_one(tuned, PackedTrainer(backbone.model), item, phase)
        (learned,) = learner.learned(training_facts(item.candidate, trained))
        learned.facts.update(nearest_facts(backbone.model, learned))
        return replace(learned, weights=backbone.tuned())

    def _check_examples(self) -> None:
        if self.task.train:
            check_examples(self.task)

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        settings = self.settings
        mode = suggest_choice(trial, f"{prefix}mode", settings.mode)
        labels.append(_TOLD[mode])
        found: dict[str, Any] = {"mode": mode}
        if mode != "model" or any(soft_segments(o.template) for o in self.options.values()):
            found |= self._soft_dimensions(trial, prefix, labels)
        if mode == "soft":
            rate = "soft_learning_rate"
            return found | {"training": training_dimensions(settings, trial, prefix, labels, rate)}
        found |= weight_dimensions(settings, trial, prefix, labels)
        if mode != "model":
            found["soft_learning_rate"] = suggest_setting(
                settings, "soft_learning_rate", trial, prefix, labels, "soft lr"
            )
        return found | self._trained_dimensions(trial, prefix, labels)

    def _prompt(
        self, candidate: Candidate, model: LocalModel
    ) -> tuple[Template, PromptParameters | None]:
        """The template as it is trained, and the vectors in it."""
        template = Template.from_settings(candidate.settings["template"])
        if candidate.settings["mode"] == "model" and not soft_segments(template):
            return template, None
        return self._learner(candidate, model)

    def _largest(self, template: Template, model: LocalModel) -> list[tuple[Template, LocalModel]]:
        plain = not soft_segments(template)
        found = [(template, model)] if plain and "model" in self.settings.mode else []
        if not plain or set(self.settings.mode) != {"model"}:
            found += super()._largest(template, model)
        return found
