"""Kind *head*: the baseline that puts a classification head on the same backbone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from promptlab.candidates.base import KindSettings, LearningKind, Trial, one_by_one
from promptlab.candidates.dimensions import choose
from promptlab.candidates.gradient_tuned import chance, check_examples, trainable, training_facts
from promptlab.candidates.training_dimensions import (
    Numbers,
    TrainingSettings,
    above_zero,
    first_training,
    picked,
    training_dimensions,
)
from promptlab.candidates.weight_dimensions import (
    RATES,
    WeightSettings,
    check_train,
    check_weights,
    low_rank,
    weight_dimensions,
    with_rates,
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
from promptlab.tuning.fit_context import Asked, Fitting
from promptlab.tuning.head import HeadExercises, HeadLearner, HeadPack
from promptlab.tuning.hyperparameters import Training
from promptlab.tuning.phase import Phase
from promptlab.tuning.trainer_state import Trainee
from promptlab.tuning.training_loop import trained_alone
from promptlab.tuning.weight_updates import Backbone

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
        return with_rates(values, ["full"], HEAD_RATES)

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
    solves: ClassVar[bool] = False
    settings: HeadSettings

    def __init__(self, settings: HeadSettings, task: Task) -> None:
        super().__init__(settings, task)
        Training(**first_training(settings))
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
        text = choose(trial, f"{prefix}input", self.inputs)
        labels.extend([text] if len(self.inputs) > 1 else [])
        found = {"input": text, "labels": list(self.task.labels)}
        found |= weight_dimensions(self.settings, trial, prefix, labels)
        rates = (self.settings, "head_learning_rate", trial, prefix, labels, "head lr")
        found["head_learning_rate"] = picked(*rates)
        rate = "head_learning_rate" if found["weights"] == "frozen" else "learning_rate"
        found["training"] = training_dimensions(self.settings, trial, prefix, labels, rate)
        return Candidate.of(self.name, found, " · ".join(dict.fromkeys(labels)))

    def fit_many(
        self, asked: Sequence[Asked], model: LanguageModel, fitting: Fitting
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """Heads one by one, each with a private copy of the weights that it trains."""
        local = trainable(model)
        yield from one_by_one(
            asked, fitting, lambda item: self._one(item, local, Phase(fitting, "head"))
        )

    def _one(self, item: Asked, model: LocalModel, fitting: Fitting) -> Predictor:
        settings = item.candidate.settings
        try:
            learned = self._learned(item, model, fitting)
        finally:
            free_memory()  # the private copy, before the predictor makes one of its own
        return HeadClassifier(
            settings["input"], settings["labels"], model.with_learned_parts(learned)
        )

    def _learned(self, item: Asked, model: LocalModel, fitting: Fitting) -> LearnedParts:
        candidate = item.candidate
        training = Training(**candidate.settings["training"])
        frozen = candidate.settings["weights"] == "frozen" or not self.task.train
        backbone = None if frozen else Backbone(model, low_rank(candidate), seed=training.seed)
        texts = HeadTexts(candidate.settings["input"], backbone.model if backbone else model)
        reader = texts.embedder()
        learner = HeadLearner(
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
        pack = HeadPack(reader, frozen=frozen)
        trained_alone(trainee, pack, item, fitting)
        (learned,) = learner.learned(self._facts(candidate, trainee, pack))
        return replace(learned, weights=backbone.tuned() if backbone else None)

    def _facts(self, candidate: Candidate, trainee: Trainee, pack: HeadPack) -> dict[str, Any]:
        """Notes on the training, kept with the head."""
        return training_facts(candidate, trainee)

    def _trainee(
        self,
        item: Asked,
        learner: HeadLearner,
        texts: HeadTexts,
        fitting: Fitting,
        backbone: Backbone | None,
    ) -> Trainee:
        training = Training(**item.candidate.settings["training"])
        labels, dev = self.task.labels, self.task.dev[: training.dev_examples]
        return Trainee(
            learner,
            training,
            HeadExercises(texts, labels, self.task.train),
            HeadExercises(texts, labels, dev),
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
