"""Kind *answer_search*: the answer words of every label, found from slots that are read once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, ClassVar

from promptlab.candidates.answer_search_settings import (
    DIMENSIONS,
    PROTOTYPES,
    VECTORS,
    WITHOUT_WORDS,
    AnswerSearchSettings,
)
from promptlab.candidates.base import KindSettings, LearningKind, Trial, fit_sequentially
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import Option, TemplateKind
from promptlab.data.task import Task
from promptlab.errors import CapabilityError, DataError, InputError, StudyError
from promptlab.events import Step
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.models.pool import load_model, note_model
from promptlab.predictors.answer_vectors import AnswerVectorClassifier
from promptlab.predictors.base import Predictor
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.prototypes import PrototypeClassifier
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.answer_search.config import AnswerSearchConfig
from promptlab.tuning.answer_search.paraphrases import (
    AnswerWriter,
    Paraphrases,
    add_nearest,
    given_words,
    vocabulary_rows,
)
from promptlab.tuning.answer_search.search import AnswerSearch
from promptlab.tuning.answer_search.slots import AnswerSlots, check_labels
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

_MAX_SLOTS = 4
"""Slots of so many templates are kept at hand for further searches."""


class AnswerSearchKind(LearningKind, TemplateKind):
    """Answers that are found in the vocabulary or paraphrased, and labels without any words."""

    name: ClassVar[str] = "answer_search"
    Settings: ClassVar[type[KindSettings]] = AnswerSearchSettings
    settings: AnswerSearchSettings

    def __init__(self, settings: AnswerSearchSettings, task: Task) -> None:
        super().__init__(settings, task)
        _check_task(task)
        for name in [field.name for field in fields(AnswerSearchConfig)]:
            given = getattr(settings, name)
            for value in given if isinstance(given, list) else [given]:
                if value not in WITHOUT_WORDS:
                    _config({name: value})
        for option in self.options.values():
            if option.parser is not None and option.answers is None:
                raise StudyError(
                    f"template {option.name!r} generates replies (parser); answers are searched "
                    "for templates without one"
                )
        if settings.given is not None:
            _check_given("given", settings.given, task)
        if "paraphrase" in settings.method:
            self._require_given()
        self._paraphrased: dict[tuple[str, ...], Paraphrases] = {}
        self._filters: dict[str, TokenFilter] = {}
        self._slots: dict[tuple[Any, ...], AnswerSlots] = {}

    def check(self, model: LanguageModel) -> None:
        """The model must show its slots, and read every template's; whoever writes must be able."""
        local = _local(model)
        if "paraphrase" in self.settings.method and "writer" in self.settings.paraphrases:
            (self._named_writer or model).require("generate")
            if self.settings.writer is not None:
                note_model(self.settings.writer, "writer")
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
        for name in DIMENSIONS[method]:
            given = getattr(settings, name)
            if not isinstance(given, list):
                found[name] = given
                continue
            found[name] = suggest_choice(trial, f"{prefix}{name}", given)
            if name in ("aggregation", "calibration"):
                labels.extend([] if found[name] in ("sum", "none") else [found[name]])
            elif len(given) > 1:
                labels.append(f"{name.replace('_', ' ')} {found[name]}")
        given = self._given(option)
        if given is not None and method in ("paraphrase", VECTORS):
            found["given"] = {label: list(own) for label, own in given.mapping().items()}
        if found.get("paraphrases") == "writer":
            most = self.settings.writing.max_tokens
            found["writing"] = {"tries": self.settings.tries, "max_tokens": most}
            found["writing"] |= {"writer": self.settings.writer}
        return {"answer_search": found}

    def _found(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> Predictor:
        """The classifier with the answers that one search finds, or with what needs no words."""
        settings = item.candidate.settings
        template = Template.from_settings(settings["template"])
        search = dict(settings["answer_search"])
        given = search.pop("given", None)
        if search["method"] == PROTOTYPES:
            return PrototypeClassifier(template, model).fit(self.task.train)
        if search["method"] == VECTORS:
            options = {"folds": search["folds"], "seed": search["seed"]}
            return AnswerVectorClassifier(template, model, given, **options).fit(self.task.train)
        source = search.pop("paraphrases", None)
        search.pop("writing", None)
        config = _config(search)
        stop = fitting.cancellation.check
        slots = self._slots_of(template, model, config, fitting)
        said = None
        if source is not None:
            said = self._paraphrases(given, source, config, slots, fitting)
            told = {"paraphrases": source, "dropped": said.dropped_text}
            notes = {name: text for name, text in told.items() if text}
            fitting.events.emit(Step(item.number, 1, {"tokens": float(said.tokens)}, notes))
        pool = None if said is None else said.words
        found = AnswerSearch(slots, config, fitting.score_dev, pool=pool, stop=stop).run()
        classifier = PromptClassifier(
            template, found.verbalizer, model, calibration=config.calibration
        )
        facts = {"method": config.method} | found.record()
        if said is not None:
            facts |= {"given": str(Verbalizer(given)), "paraphrases": source} | said.record()
            classifier.fitting_tokens = said.tokens
        classifier.notes = {"answer_search": facts}
        return classifier.fit(self.task.train)

    def _paraphrases(
        self,
        given: Mapping[str, Sequence[str]],
        source: str,
        config: AnswerSearchConfig,
        slots: AnswerSlots,
        fitting: FitContext,
    ) -> Paraphrases:
        """The words that are tried in the place of the given ones; asked for once a template."""
        vocabulary = slots.vocabulary
        words = given_words(given, slots.labels, vocabulary)
        if source == "nearest":
            rows = vocabulary_rows(slots.model, vocabulary)
            return add_nearest(words, rows, config.candidates)
        key = (
            repr(sorted(slots.template.settings().items())),
            repr(given),
            str((config.candidates, config.capitalised)),
        )
        if key in self._paraphrased:
            return replace(self._paraphrased[key], tokens=0)
        decoding = Decoding(**self.settings.writing.model_dump())
        writer = AnswerWriter(
            self._named_writer or slots.model,
            decoding,
            self.settings.tries,
            stop=fitting.cancellation.check,
        )
        found = writer.add_written(words, given, slots.labels, vocabulary, config.candidates)
        self._paraphrased[key] = found
        return found

    def _given(self, option: Option) -> Verbalizer | None:
        """The answers that are given: the group's, else the template's own."""
        answers = self.settings.given or option.answers
        return None if answers is None else Verbalizer(answers)

    def _require_given(self) -> None:
        for option in self.options.values():
            if (answers := self._given(option)) is None:
                raise StudyError(
                    f"template {option.name!r} has no answers of its own to be paraphrased; give "
                    "some (given: {label: word}), or use another method"
                )
            _check_given(f"template {option.name!r}", answers.mapping(), self.task)

    @cached_property
    def _named_writer(self) -> LanguageModel | None:
        return None if self.settings.writer is None else load_model(self.settings.writer)

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


def _check_given(place: str, answers: Mapping[str, Any], task: Task) -> None:
    try:
        Verbalizer(answers).check_labels(task.labels)
    except InputError as error:
        raise StudyError(f"{place}: {error}") from error


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
