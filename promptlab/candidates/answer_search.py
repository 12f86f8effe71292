"""Kind *answer_search*: the answer words of every label, found from slots that are read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from promptlab.candidates.base import KindSettings, LearningKind, Trial, fit_sequentially
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import Option, TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, DataError, InputError, StudyError
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.prototypes import PrototypeClassifier
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.template import Template
from promptlab.tuning.answer_search.config import AnswerSearchConfig, Chooser, Ranking
from promptlab.tuning.answer_search.search import AnswerSearch
from promptlab.tuning.answer_search.slots import AnswerSlots, check_labels
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

_SEARCHED = ("candidates", "ranking", "distinct", "max_assignments", "kept")
AnswerMethod = Literal["ratio", "assignment", "many_to_one", "prototypes"]
PROTOTYPES = "prototypes"
"""The method without words: a label is the mean of its examples' slot features (ProtoVerb)."""
_EVERY = ("choose_on", "capitalised", "folds", "train_examples", "seed", "calibration")
_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "ratio": (*_EVERY, "words", "aggregation"),
    "assignment": (*_EVERY, *_SEARCHED),
    "many_to_one": (*_EVERY, *_SEARCHED, "words", "beam", "aggregation"),
    PROTOTYPES: (),
}
"""What is searched over, or given, for each method; the rest does not matter to it."""
_MAX_SLOTS = 4
"""Slots of so many templates are kept at hand for further searches."""


class AnswerSearchSettings(TemplateSettings):
    """How the answer words of a template group are found; every list is a search dimension.

    The names are those of `AnswerSearchConfig`: *ratio* takes the best ``words`` of each label,
    *assignment* tries one of the ``candidates`` of each label in all combinations, *many_to_one*
    adds further words to the best of them. Train proposes, dev chooses. *prototypes* needs no
    words: a label is the mean of its training examples' features at the slot.
    """

    verbalizers: list[Literal["search"]] = Field(default=["search"], min_length=1)  # type: ignore[assignment]
    length_normalise: list[Literal[False]] = Field(default=[False], min_length=1)  # type: ignore[assignment]
    method: list[AnswerMethod] = Field(default=["assignment"], min_length=1)
    words: list[int] = Field(default=[AnswerSearchConfig.words], min_length=1)
    candidates: list[int] = Field(default=[AnswerSearchConfig.candidates], min_length=1)
    ranking: list[Ranking] = Field(default=[AnswerSearchConfig.ranking], min_length=1)
    distinct: list[bool] = Field(default=[AnswerSearchConfig.distinct], min_length=1)
    beam: list[int] = Field(default=[AnswerSearchConfig.beam], min_length=1)
    choose_on: list[Chooser] = Field(default=[AnswerSearchConfig.choose_on], min_length=1)
    capitalised: list[bool] = Field(default=[AnswerSearchConfig.capitalised], min_length=1)
    kept: int = AnswerSearchConfig.kept
    max_assignments: int = AnswerSearchConfig.max_assignments
    folds: int = AnswerSearchConfig.folds
    train_examples: int = AnswerSearchConfig.train_examples
    seed: int = AnswerSearchConfig.seed


class AnswerSearchKind(LearningKind, TemplateKind):
    """Answers by log-likelihood ratio (PETAL), assignment search (LM-BFF), or many to one."""

    name: ClassVar[str] = "answer_search"
    Settings: ClassVar[type[KindSettings]] = AnswerSearchSettings
    settings: AnswerSearchSettings

    def __init__(self, settings: AnswerSearchSettings, task: Task) -> None:
        super().__init__(settings, task)
        _check_task(task)
        for name in [field.name for field in fields(AnswerSearchConfig)]:
            given = getattr(settings, name)
            for value in given if isinstance(given, list) else [given]:
                if value != PROTOTYPES:
                    _config({name: value})
        for option in self.options.values():
            if option.parser is not None and option.answers is None:
                raise StudyError(
                    f"template {option.name!r} generates replies (parser); answers are searched "
                    "for templates without one"
                )
        self._filters: dict[str, TokenFilter] = {}
        self._slots: dict[tuple[Any, ...], AnswerSlots] = {}

    def check(self, model: LanguageModel) -> None:
        """The model must show its slots, and read every template's."""
        local = _local(model)
        for option in self.options.values():
            for chat in self.settings.chat:
                template = replace(option.template, chat=chat or option.template.chat)
                try:
                    prompt = render_truncated(template, self.task.train[0], (), local, 1)
                    if not prompt.is_text_only:
                        raise InputError(
                            "answers are searched for templates of words, without {soft} and "
                            "{trigger} (the kind triggers finds answers for its own: verbalizers: "
                            "[search])"
                        )
                    local.check([prompt], ())
                except InputError as error:
                    raise StudyError(f"template {option.name!r}: {error}") from error

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """One search after the other; those of one template share its slots."""
        local = _local(model)
        yield from fit_sequentially(asked, fitting, lambda item: self._found(item, local, fitting))

    def _scored(
        self, trial: Trial, prefix: str, option: Option, labels: list[str]
    ) -> dict[str, Any]:
        settings = self.settings
        method: str = suggest_choice(trial, f"{prefix}method", settings.method)
        labels.append(method.replace("_", " "))
        found: dict[str, Any] = {"method": method}
        for name in _DIMENSIONS[method]:
            given = getattr(settings, name)
            if not isinstance(given, list):
                found[name] = given
                continue
            found[name] = suggest_choice(trial, f"{prefix}{name}", given)
            if name in ("aggregation", "calibration"):
                labels.extend([] if found[name] in ("sum", "none") else [found[name]])
            elif len(given) > 1:
                labels.append(f"{name.replace('_', ' ')} {found[name]}")
        return {"answer_search": found}

    def _found(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> Predictor:
        """The classifier with the answers that one search finds, or with prototypes."""
        settings = item.candidate.settings
        template = Template.from_settings(settings["template"])
        if settings["answer_search"]["method"] == PROTOTYPES:
            return PrototypeClassifier(template, model).fit(self.task.train)
        config = _config(settings["answer_search"])
        stop = fitting.cancellation.check
        slots = self._slots_of(template, model, config, fitting)
        found = AnswerSearch(slots, config, fitting.score_dev, stop=stop).run()
        classifier = PromptClassifier(
            template, found.verbalizer, model, calibration=config.calibration
        )
        classifier.notes = {"answer_search": {"method": config.method} | found.record()}
        return classifier.fit(self.task.train)

    def _slots_of(
        self, template: Template, model: LocalModel, config: AnswerSearchConfig, fitting: FitContext
    ) -> AnswerSlots:
        """The slots of train and dev under the template; kept for the next search."""
        document = repr(sorted(template.settings().items()))
        read = (config.calibration, config.capitalised, config.train_examples)
        key = (model.key, document, *read)
        if key not in self._slots:
            while len(self._slots) >= _MAX_SLOTS:
                del self._slots[next(iter(self._slots))]
            self._slots[key] = AnswerSlots(
                model,
                template,
                self.task.labels,
                self.task.train,
                self.task.dev,
                self._filter(model),
                calibration=config.calibration,
                capitalised=config.capitalised,
                train_examples=config.train_examples,
                stop=fitting.cancellation.check,
            )
        return self._slots[key]

    def _filter(self, model: LocalModel) -> TokenFilter:
        if model.key not in self._filters:
            vocabulary = model.engine.network.virtual_tokens.first_id
            self._filters[model.key] = TokenFilter(model.encoding, vocabulary)
        return self._filters[model.key]


def _config(settings: dict[str, Any]) -> AnswerSearchConfig:
    try:
        return replace(AnswerSearchConfig(), **settings)
    except InputError as error:
        raise StudyError(str(error)) from error


def _local(model: LanguageModel) -> LocalModel:
    """The model as one whose slots can be read. Raises `CapabilityError` naming what would."""
    model.require("features")
    if not isinstance(model, LocalModel):
        raise CapabilityError(
            f"{model.name} does not show its vocabulary, so no words can be found in it; use a "
            "local model"
        )
    return model


def _check_task(task: Task) -> None:
    """Refuse a task without labels, without examples of each, or without dev examples."""
    if not task.labels:
        raise DataError(f"{task.name} has open answers, and words are searched for labels")
    if not task.train:
        raise DataError(f"{task.name} has no training examples, and answers are found from them")
    if not task.dev:
        raise DataError(f"{task.name} has no dev examples, and they choose among the answers")
    try:
        check_labels(task.train, task.labels, f"{task.name}'s train")
    except InputError as error:
        raise DataError(str(error)) from error
