"""Kind *head*: the baseline that puts a classification head on the same backbone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from promptlab.candidates.base import KindSettings, LearningKind, Trial, fit_sequentially
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.gradient_tuned import chance, check_examples, trainable, training_facts
from promptlab.candidates.training_dimensions import (
    Numbers,
    TrainingSettings,
    above_zero,
    first_training,
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
from promptlab.errors import DataError
from promptlab.models.base import LanguageModel
from promptlab.models.learned_parts import LearnedParts
from promptlab.models.local import LocalModel
from promptlab.models.tuned_weights import free_memory
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.head import HeadClassifier, HeadTexts, template_without_slot
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.head import HeadObjective, HeadParameters, HeadTrainer
from promptlab.tuning.hyperparameters import TrainingConfig
from promptlab.tuning.phase import PhaseContext
from promptlab.tuning.trainer_state import TrainState
from promptlab.tuning.training_loop import train_one
from promptlab.tuning.weight_updates import TrainableWeights

HEAD_RATES = RATES | {"frozen": 1e-3}
"""The learning rate of the weights below a head; of the head alone where they are frozen."""


class HeadSettings(TrainingSettings, WeightSettings):
    """``input`` is the text that is classified, all fields in a row if it is not given.

    The head has ``head_learning_rate``, the weights below it ``learning_rate`` (2e-5, 2e-4 for
    LoRA); *frozen* weights stay as they are.
    """

    input: list[str] = Field(default=[])
    weights: list[Literal["full", "lora", "frozen"]] = Field(default=["full"], min_length=1)
    head_learning_rate: Numbers = Field(default=[1e-3], min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _rate_of_weights(cls, values: Any) -> Any:
        return default_learning_rates(values, ["full"], HEAD_RATES)

    @field_validator("head_learning_rate")
    @classmethod
    def _head_above_zero(cls, value: Numbers) -> Numbers:
        return above_zero(value)


class HeadKind(LearningKind):
    """A linear layer on [CLS], the last token or the encoder's mean, trained with the backbone.

    Without training examples the head is drawn with its seed and left so.
    """

    name: ClassVar[str] = "head"
    packages: ClassVar[tuple[str, ...]] = ("peft",)
    Settings: ClassVar[type[KindSettings]] = HeadSettings
    is_strategy: ClassVar[bool] = False
    settings: HeadSettings

    def __init__(self, settings: HeadSettings, task: Task) -> None:
        super().__init__(settings, task)
        TrainingConfig(**first_training(settings))
        if not task.labels:
            raise DataError(f"{task.name} has open answers, and a head tells labels apart")
        if task.train:
            check_examples(task)
        self.inputs = settings.input or [" ".join(f"{{{field}}}" for field in task.fields)]
        for text in self.inputs:
            _check_fields(text, task)

    def check(self, model: LanguageModel) -> None:
        """There are training examples, and the model shows hidden states and trains."""
        check_train(self.task)
        local = trainable(model)
        if set(self.settings.weights) != {"frozen"}:
            check_weights(self.settings, local)
        for text in self.inputs:
            HeadTexts(text, local).token_ids(self.task.train[:1])

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """input, weights, and the training's dimensions."""
        labels = ["head"]
        text = suggest_choice(trial, f"{prefix}input", self.inputs)
        labels.extend([text] if len(self.inputs) > 1 else [])
        found = {"input": text, "labels": list(self.task.labels)}
        found |= weight_dimensions(self.settings, trial, prefix, labels)
        rates = (self.settings, "head_learning_rate", trial, prefix, labels, "head lr")
        found["head_learning_rate"] = suggest_setting(*rates)
        rate = "head_learning_rate" if found["weights"] == "frozen" else "learning_rate"
        found["training"] = training_dimensions(self.settings, trial, prefix, labels, rate)
        return Candidate.of(self.name, found, " · ".join(dict.fromkeys(labels)))

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Heads one by one, each with a private copy of the weights that it trains."""
        local = trainable(model)
        yield from fit_sequentially(
            asked, fitting, lambda item: self._one(item, local, PhaseContext(fitting, "head"))
        )

    def _one(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> Predictor:
        settings = item.candidate.settings
        try:
            learned = self._learned(item, model, fitting)
        finally:
            free_memory()  # the private copy, before the predictor makes one of its own
        return HeadClassifier(
            settings["input"], settings["labels"], model.with_learned_parts(learned)
        )

    def _learned(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> LearnedParts:
        candidate = item.candidate
        training = TrainingConfig(**candidate.settings["training"])
        frozen = candidate.settings["weights"] == "frozen" or not self.task.train
        backbone = (
            None if frozen else TrainableWeights(model, low_rank(candidate), seed=training.seed)
        )
        texts = HeadTexts(candidate.settings["input"], backbone.model if backbone else model)
        reader = texts.embedder()
        learner = HeadParameters(
            len(self.task.labels),
            reader.width,
            seed=training.seed,
            device=reader.network.device,
            weights=backbone.parameters if backbone else (),
            scale=candidate.settings["head_learning_rate"] / training.learning_rate,
        )
        if not self.task.train:
            return learner.learned({"untrained": True})[0]
        trainee = self._trainee(item, learner, texts, fitting, backbone)
        pack = HeadTrainer(reader, frozen=frozen)
        train_one(trainee, pack, item, fitting)
        (learned,) = learner.learned(self._facts(candidate, trainee, pack))
        return replace(learned, weights=backbone.tuned() if backbone else None)

    def _facts(
        self, candidate: Candidate, trainee: TrainState, pack: HeadTrainer
    ) -> dict[str, Any]:
        """Notes on the training, kept with the head."""
        return training_facts(candidate, trainee)

    def _trainee(
        self,
        item: FitRequest,
        learner: HeadParameters,
        texts: HeadTexts,
        fitting: FitContext,
        backbone: TrainableWeights | None,
    ) -> TrainState:
        training = TrainingConfig(**item.candidate.settings["training"])
        labels, dev = self.task.labels, self.task.dev[: training.dev_examples]
        return TrainState(
            learner,
            training,
            HeadObjective(texts, labels, self.task.train),
            HeadObjective(texts, labels, dev),
            number=item.number,
            checkpoint=fitting.checkpoint(item.candidate),
            chance=chance(self.task),
            spacing=backbone.spacing if backbone else 0.0,
        )


def _check_fields(text: str, task: Task) -> None:
    missing = [field for field in template_without_slot(text).fields if field not in task.fields]
    if missing:
        raise DataError(
            f"the input {text!r} reads the field {', '.join(map(repr, missing))}, which the data "
            f"lacks; its fields are {', '.join(task.fields)}"
        )
