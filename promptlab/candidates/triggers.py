"""Kind *triggers*: words of a template that a search finds by gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal

from pydantic import Field

from promptlab.candidates.base import KindSettings, LearningKind, Trial, fit_sequentially
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.gradient_tuned import check_examples, check_room, trainable
from promptlab.candidates.template import Answers, Option, TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.files.settings import Seed
from promptlab.models.base import LanguageModel
from promptlab.models.local import LocalModel
from promptlab.predictors.base import Predictor
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.tuning.fit_context import FitContext, FitRequest
from promptlab.tuning.label_word_search import find_slot_words
from promptlab.tuning.triggers.config import Method, TriggerSearchConfig
from promptlab.tuning.triggers.initialisation import COMMON, starting_tokens
from promptlab.tuning.triggers.objective import TriggerObjective
from promptlab.tuning.triggers.run import TriggerSearchRun
from promptlab.tuning.triggers.segments import (
    trigger_lengths,
    with_trigger_length,
    with_trigger_tokens,
)
from promptlab.tuning.triggers.vocabulary_filter import TokenFilter

SEARCH = "search"
"""The verbalizer whose words a probe at the slot finds."""
DIMENSIONS = (
    "method",
    "start",
    "top",
    "sample",
    "steps",
    "batch",
    "patience",
    "blocks",
    "momentum",
    "capitalised",
    "whole_words",
    "seed",
)
FIXED = ("start_text", "width", "swaps", "accumulate", "comparison", "read_back")


class TriggersSettings(TemplateSettings):
    """How the triggers of a template group are searched; every list is a search dimension.

    The names are those of `TriggerSearchConfig`. ``length`` replaces the n of every
    ``{trigger:n}``. With the verbalizer *search* the words of each label, ``label_words`` of them,
    are found by a probe at the slot. At most ``dev_examples`` of dev judge a trigger.
    """

    verbalizers: list[Literal["own", "targets", "search"] | Answers] = Field(  # type: ignore[assignment]
        default=["own"], min_length=1
    )
    label_words: list[int] = Field(default=[3], min_length=1)
    length: list[int] = Field(default=[])
    method: list[Method] = Field(default=["autoprompt"], min_length=1)
    start: list[Literal["auto", "mask", "random", "text"]] = Field(default=["auto"], min_length=1)
    start_text: str = COMMON
    top: list[int] = Field(default=[TriggerSearchConfig.top], min_length=1)
    sample: list[int] = Field(default=[TriggerSearchConfig.sample], min_length=1)
    steps: list[int] = Field(default=[TriggerSearchConfig.steps], min_length=1)
    batch: list[int] = Field(default=[TriggerSearchConfig.batch], min_length=1)
    patience: list[int | None] = Field(default=[TriggerSearchConfig.patience], min_length=1)
    blocks: list[int] = Field(default=[TriggerSearchConfig.blocks], min_length=1)
    momentum: list[float] = Field(default=[TriggerSearchConfig.momentum], min_length=1)
    capitalised: list[bool] = Field(default=[TriggerSearchConfig.capitalised], min_length=1)
    whole_words: list[bool] = Field(default=[TriggerSearchConfig.whole_words], min_length=1)
    seed: list[Seed] = Field(default=[TriggerSearchConfig.seed], min_length=1)
    width: int = TriggerSearchConfig.width
    swaps: int = TriggerSearchConfig.swaps
    accumulate: int = TriggerSearchConfig.accumulate
    comparison: int | None = TriggerSearchConfig.comparison
    read_back: bool = TriggerSearchConfig.read_back
    dev_examples: int = Field(default=500, ge=1)


class TriggersKind(LearningKind, TemplateKind):
    """AutoPrompt (Shin et al. 2020), universal triggers (Wallace et al. 2019), and GCG."""

    name: ClassVar[str] = "triggers"
    Settings: ClassVar[type[KindSettings]] = TriggersSettings
    settings: TriggersSettings

    def __init__(self, settings: TriggersSettings, task: Task) -> None:
        super().__init__(settings, task)
        check_examples(task)
        self._filters: dict[str, TokenFilter] = {}
        for name in DIMENSIONS:
            for value in getattr(settings, name):
                self._recipe({name: value} | {key: getattr(settings, key) for key in FIXED})
        for count in [*settings.length, *settings.label_words]:
            if count < 1:
                raise StudyError(f"length and label_words are at least 1, found {count}")
        for option in self.options.values():
            self._check_option(option)

    def _check_option(self, option: Option) -> None:
        if option.parser is not None and option.answers is None:
            raise StudyError(
                f"template {option.name!r} generates replies (parser); triggers are searched for "
                "templates with answers"
            )
        try:
            trigger_lengths(option.template)
        except InputError as error:
            raise StudyError(f"template {option.name!r}: {error}") from error

    def check(self, model: LanguageModel) -> None:
        """The model must give gradients, the triggers leave room, and the answers be words."""
        local = trainable(model)
        example = self.task.train[0]
        for option in self.options.values():
            try:
                template = with_trigger_length(
                    option.template, max(self.settings.length, default=None)
                )
                view = with_trigger_tokens(local, template)
                check_room(template, view)
                for answers in self.verbalizers.values():
                    chosen = option.answers if answers == "own" else answers
                    if chosen is not None and not isinstance(chosen, str):
                        words = Verbalizer(chosen).answers
                        view.check([template.render(example)], words)
            except InputError as error:
                raise StudyError(f"template {option.name!r}: {error}") from error

    def fit_many(
        self, asked: Sequence[FitRequest], model: LanguageModel, fitting: FitContext
    ) -> Iterator[tuple[int, Predictor | Exception]]:
        """One search after the other; each goes on from its checkpoint."""
        local = trainable(model)
        yield from fit_sequentially(asked, fitting, lambda item: self._found(item, local, fitting))

    def _scored(
        self, trial: Trial, prefix: str, option: Option, labels: list[str]
    ) -> dict[str, Any]:
        if SEARCH not in self.verbalizers:
            return super()._scored(trial, prefix, option, labels)
        names = list(self.verbalizers)
        chosen = suggest_choice(trial, f"{prefix}verbalizer", names)
        if chosen != SEARCH:
            given = _Given(trial, f"{prefix}verbalizer", chosen)
            return super()._scored(given, prefix, option, labels)
        count = suggest_choice(trial, f"{prefix}label_words", self.settings.label_words)
        aggregation = suggest_choice(trial, f"{prefix}aggregation", self.settings.aggregation)
        calibration = suggest_choice(trial, f"{prefix}calibration", self.settings.calibration)
        labels.append(f"{count} found words a label")
        labels.extend([] if calibration == "none" else [calibration])
        return {
            "verbalizer": {"search": count, "aggregation": aggregation},
            "calibration": calibration,
        }

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        settings = self.settings
        found: dict[str, Any] = {name: getattr(settings, name) for name in FIXED}
        for name in DIMENSIONS:
            if name == "sample" and found["method"] != "gcg":
                continue
            values = getattr(settings, name)
            found[name] = suggest_choice(trial, f"{prefix}{name}", values)
            if name == "method":
                labels.append(found[name])
            elif len(values) > 1:
                labels.append(f"{name.replace('_', ' ')} {found[name]}")
        extra = {"search": found, "dev_examples": settings.dev_examples}
        if settings.length:
            extra["length"] = suggest_choice(trial, f"{prefix}length", settings.length)
            labels.append(f"{extra['length']} tokens")
        return extra

    def _found(self, item: FitRequest, model: LocalModel, fitting: FitContext) -> Predictor:
        """The predictor of one search. Raises `Pruned` when the study gives it up."""
        settings = item.candidate.settings
        tokens = self._filter(model)
        recipe = self._recipe(settings["search"])
        template = with_trigger_length(
            Template.from_settings(settings["template"]), settings.get("length")
        )
        verbalizer, facts = self._verbalizer(settings["verbalizer"], template, model, recipe)
        oracle = TriggerObjective(
            model,
            template,
            verbalizer,
            self.task.train,
            dev=self.task.dev[: settings["dev_examples"]],
            judge=fitting.score_dev,
        )
        path = fitting.checkpoint(item.candidate)
        best = TriggerSearchRun(
            recipe,
            oracle,
            tokens,
            fitting,
            number=item.number,
            kept=None if path is None else path.with_suffix(".json"),
        ).run()
        facts |= {"method": recipe.method, "step": best.step, "loss": best.loss, "dev": best.score}
        predictor = oracle.predictor(best.tokens, facts)
        predictor.calibration = settings["calibration"]
        return predictor.fit(self.task.train)

    def _recipe(self, search: dict[str, Any]) -> TriggerSearchConfig:
        known = {field.name for field in fields(TriggerSearchConfig)}
        try:
            return TriggerSearchConfig(
                **{name: value for name, value in search.items() if name in known}
            )
        except InputError as error:
            raise StudyError(str(error)) from error

    def _verbalizer(
        self,
        settings: dict[str, Any],
        template: Template,
        model: LocalModel,
        recipe: TriggerSearchConfig,
    ) -> tuple[Verbalizer, dict[str, Any]]:
        """The candidate's verbalizer, and what is to be noted about it."""
        if "search" not in settings:
            return Verbalizer.from_settings(settings), {}
        tokens = self._filter(model)
        begun = starting_tokens(
            recipe.start_of(model),
            sum(trigger_lengths(template)),
            model.encoding,
            tokens.allowed(),
            text=recipe.start_text,
            seed=recipe.seed,
        )
        verbalizer, found = find_slot_words(
            template,
            with_trigger_tokens(model, template, begun),
            self.task.train,
            self.task.labels,
            tokens,
            top=settings["search"],
            aggregation=settings["aggregation"],
        )
        return verbalizer, {"label_words": str(verbalizer), "probe_accuracy": found.accuracy}

    def _filter(self, model: LocalModel) -> TokenFilter:
        if model.key not in self._filters:
            vocabulary = model.engine.network.virtual_tokens.first_id
            self._filters[model.key] = TokenFilter(model.encoding, vocabulary)
        return self._filters[model.key]


class _Given:
    """A trial one of whose dimensions is decided already."""

    def __init__(self, trial: Trial, name: str, value: Any) -> None:
        self._trial, self._name, self._value = trial, name, value
        self.suggest_int, self.suggest_float = trial.suggest_int, trial.suggest_float

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The decided value, or what the trial says."""
        if name == self._name:
            return self._value
        return self._trial.suggest_categorical(name, choices)
