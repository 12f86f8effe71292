"""Kind *template*: template x verbalizer x calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.parsers import ParserSettings, check_parser_labels
from promptlab.data.label import canonical_label
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.files.settings import Seed, Settings
from promptlab.library.entry import LibraryTemplate
from promptlab.library.sources import find_template, record_template_use, templates
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.classifier import PromptClassifier
from promptlab.predictors.demonstrations.choice import DemonstrationConfig
from promptlab.predictors.generator import PromptGenerator
from promptlab.predictors.truncation import render_truncated
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Aggregation, Verbalizer

OWN = "own"
"""The verbalizer that the library gives with the template."""
TARGETS = "targets"
"""The closed candidate set of a task with open answers: every label of the data is an answer."""

Label = Annotated[str, BeforeValidator(lambda key: key if key is None else canonical_label(key))]
"""A label as a key of a study file: 1 and true are the labels of rows that hold them."""

Answers = dict[Label, str | list[str] | dict[str, float]]


class InlineTemplate(Settings):
    """A template written out in the study file."""

    name: str | None = None
    text: str | None = None
    parts: dict[str, str] | None = None
    separator: str = "\n\n"
    demonstration_separator: str = "\n\n"
    answers: Answers | None = None
    parser: ParserSettings | None = None


class FromLibrary(Settings):
    """All templates of one task of the library, or those of one shape."""

    task: str
    shape: Literal["prefix", "cloze"] | None = None


class DecodingSettings(Settings):
    """How generated replies are decoded."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: Seed = 0


class TemplateSettings(KindSettings):
    """``templates`` are library names, texts with ``{mask}``, or written out; or all of a task."""

    templates: FromLibrary | list[str | InlineTemplate]
    verbalizers: list[Literal["own", "targets"] | Answers] = Field(default=["own"], min_length=1)
    calibration: list[Calibration] = Field(default=["none"], min_length=1)
    aggregation: list[Aggregation] = Field(default=["sum"], min_length=1)
    length_normalise: list[bool] = Field(default=[False], min_length=1)
    chat: list[bool] = Field(default=[False], min_length=1)
    without: list[list[str]] = Field(default=[[]], min_length=1)
    decoding: DecodingSettings = DecodingSettings()


class Option(BaseModel):
    """A template with its own answers or parser, under the name that the sampler sees."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str
    template: Template
    answers: Mapping[str, Any] | None
    parser: Mapping[str, Any] | None


class TemplateKind(Kind):
    """Hand-written templates, each with its verbalizers and calibrations."""

    name: ClassVar[str] = "template"
    Settings: ClassVar[type[KindSettings]] = TemplateSettings
    settings: TemplateSettings

    def __init__(self, settings: TemplateSettings, task: Task) -> None:
        super().__init__(settings, task)
        self.options = {option.name: option for option in self._options()}
        self.verbalizers = {
            _verbalizer_name(answers): _targets(task) if answers == TARGETS else answers
            for answers in settings.verbalizers
        }
        self._check()

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """template, and what applies to it: verbalizer, aggregation, calibration, parts, chat."""
        option = self.options[suggest_choice(trial, f"{prefix}template", list(self.options))]
        template = self._template(trial, prefix, option)
        settings: dict[str, Any] = {"template": template.settings()}
        labels = [option.name]
        if option.parser is not None and option.answers is None:
            settings |= {"parser": dict(option.parser)}
            settings |= {"decoding": self.settings.decoding.model_dump(mode="json")}
        else:
            settings |= self._scored(trial, prefix, option, labels)
        if template.chat:
            labels.append("chat")
        extra = self._extra(trial, prefix, labels)
        return Candidate.of(self.name, settings | extra, " · ".join(labels))

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A classifier (answers) or a generator (parser), fitted on the training examples."""
        return self._make(candidate.settings, model).fit(self.task.train)

    def _make(self, settings: Mapping[str, Any], model: LanguageModel) -> Predictor:
        """The predictor before it is fitted."""
        choice = DemonstrationConfig(**settings.get("demonstrations", {}))
        template = Template.from_settings(settings["template"])
        if "parser" in settings:
            return PromptGenerator(
                template,
                parser_from_settings(settings["parser"]),
                model,
                decoding=Decoding.from_settings(settings["decoding"]),
                demonstrations=choice,
            )
        return PromptClassifier(
            template,
            Verbalizer.from_settings(settings["verbalizer"]),
            model,
            calibration=settings["calibration"],
            demonstrations=choice,
        )

    def check(self, model: LanguageModel) -> None:
        """Every template with every verbalizer must be sayable to the model."""
        example = self.task.train[0] if self.task.train else self.task.dev[0]
        for option in self.options.values():
            if option.parser is not None and option.answers is None:
                model.require("generate")
                continue
            for chat in self.settings.chat:
                template = replace(option.template, chat=chat or option.template.chat)
                prompt = render_truncated(template, example, (), model, 64)
                for answers in self.verbalizers.values():
                    chosen = option.answers if isinstance(answers, str) else answers
                    try:
                        model.check([prompt], Verbalizer(chosen or {}).answers)
                    except InputError as error:
                        raise StudyError(f"template {option.name!r}: {error}") from error

    def _template(self, trial: Trial, prefix: str, option: Option) -> Template:
        template = option.template
        chat = suggest_choice(trial, f"{prefix}chat", self.settings.chat)
        if template.parts is not None and len(self.settings.without) > 1:
            names = ["+".join(parts) for parts in self.settings.without]
            left_out = suggest_choice(trial, f"{prefix}without", names)
            template = template.without(*filter(None, left_out.split("+")))
        elif template.parts is not None:
            template = template.without(*self.settings.without[0])
        return replace(template, chat=chat or template.chat)

    def _scored(
        self, trial: Trial, prefix: str, option: Option, labels: list[str]
    ) -> dict[str, Any]:
        chosen = suggest_choice(trial, f"{prefix}verbalizer", list(self.verbalizers))
        answers = option.answers if chosen == OWN else self.verbalizers[chosen]
        aggregation = suggest_choice(trial, f"{prefix}aggregation", self.settings.aggregation)
        normalise = suggest_choice(
            trial, f"{prefix}length_normalise", self.settings.length_normalise
        )
        calibration = suggest_choice(trial, f"{prefix}calibration", self.settings.calibration)
        assert answers is not None and not isinstance(answers, str)
        verbalizer = Verbalizer(answers, aggregation=aggregation, length_normalise=normalise)
        labels.extend([] if chosen == OWN else [chosen])
        labels.extend([] if calibration == "none" else [calibration])
        labels.extend([] if aggregation == "sum" else [aggregation])
        labels.extend(["length-normalised"] if normalise else [])
        return {"verbalizer": verbalizer.settings(), "calibration": calibration}

    def _extra(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """What a kind built on this one adds to a candidate's settings."""
        return {}

    def _options(self) -> list[Option]:
        chosen = self.settings.templates
        if isinstance(chosen, FromLibrary):
            items = [
                item
                for item in templates(chosen.task)
                if chosen.shape in (None, item.template.shape)
                and (OWN not in self.settings.verbalizers or not item.open_vocabulary)
            ]
            for item in items:
                record_template_use(item)
            return [_from_library(item) for item in items]
        return [self._option(index, entry) for index, entry in enumerate(chosen)]

    def _option(self, index: int, entry: str | InlineTemplate) -> Option:
        if isinstance(entry, str) and "{" not in entry:
            item = find_template(entry)
            if item.open_vocabulary and OWN in self.settings.verbalizers:
                raise InputError(
                    f"template {item.full_name} is for filling blanks (any word is an answer) and "
                    "has no answers of its own; list verbalizers: [targets] to choose among the "
                    "data's labels"
                )
        return read_option(index, entry)

    def _check(self) -> None:
        """Everything that can be wrong before a model is needed."""
        if not self.options:
            raise StudyError("the group has no templates")
        for option in self.options.values():
            missing = [name for name in option.template.fields if name not in self.task.fields]
            if missing:
                raise StudyError(
                    f"template {option.name!r} reads the field {', '.join(map(repr, missing))}, "
                    f"which the data lacks; its fields are {', '.join(self.task.fields)} (rename "
                    "one in the study's task section: rename: {old: new})"
                )
            if option.answers is None and option.parser is None and OWN in self.verbalizers:
                raise StudyError(
                    f"template {option.name!r} has no answers of its own; give it answers, or list "
                    "verbalizers without 'own'"
                )
            if option.parser is not None and option.answers is None:
                self._check_parser(option)
        self._check_answers()

    def _check_parser(self, option: Option) -> None:
        assert option.parser is not None
        try:
            check_parser_labels(option.parser, self.task.labels)
        except InputError as error:
            raise StudyError(f"template {option.name!r}: {error}") from error

    def _check_answers(self) -> None:
        used: list[tuple[str, Any]] = []
        if OWN in self.verbalizers:
            used += [
                (f"template {name!r}", option.answers)
                for name, option in self.options.items()
                if option.answers is not None
            ]
        used += [("verbalizers", v) for v in self.verbalizers.values() if not isinstance(v, str)]
        for place, answers in used:
            try:
                verbalizer = Verbalizer(answers)
                if self.task.labels:
                    verbalizer.check_labels(self.task.labels)
            except InputError as error:
                raise StudyError(f"{place}: {error}") from error


def read_option(index: int, entry: str | InlineTemplate) -> Option:
    """A template of a study file: written out, a text with ``{mask}``, or a library name."""
    if isinstance(entry, InlineTemplate):
        name = entry.name or entry.text or f"template {index + 1}"
        template = Template(
            entry.text, entry.parts, name, entry.separator, entry.demonstration_separator
        )
        return Option(name=name, template=template, answers=entry.answers, parser=entry.parser)
    if "{" in entry:
        return Option(name=entry, template=Template(entry), answers=None, parser=None)
    return _from_library(find_template(entry))


def _from_library(item: LibraryTemplate) -> Option:
    return Option(
        name=item.full_name, template=item.template, answers=item.answers, parser=item.parser
    )


def _targets(task: Task) -> dict[str, str]:
    """Every label that the data has, as an answer that stands for itself."""
    found = {e.label for split in task.splits.values() for e in split if e.label is not None}
    return {label: label for label in sorted(found)}


def _verbalizer_name(answers: str | Mapping[str, Any]) -> str:
    return answers if isinstance(answers, str) else str(Verbalizer(answers))
