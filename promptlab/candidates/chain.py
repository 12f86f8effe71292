"""Kind *chain*: named steps, each with templates to choose among."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.parsers import ParserSettings
from promptlab.candidates.template import (
    Answers,
    DecodingSettings,
    InlineTemplate,
    Option,
    read_option,
)
from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError
from promptlab.files.settings import Settings
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.parsers.parsers import parser_from_settings
from promptlab.prompts.template import Template
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.answering import AnswerReader
from promptlab.strategies.chain import Chain, ChainStep, chain_fields, check_steps


class StepSettings(Settings):
    """A step: its templates, and how its reply is read (``parser``) or scored (``answers``).

    Without either, the template's own parser or answers are taken, else the whole reply.
    """

    name: str
    templates: list[str | InlineTemplate] = Field(min_length=1)
    parser: ParserSettings | None = None
    answers: Answers | None = None
    decoding: DecodingSettings = DecodingSettings()
    map: str | None = None
    item: str = "item"


class ChainSettings(KindSettings):
    """``steps`` in their order; every step's templates are a dimension ``<step>.template``."""

    steps: list[StepSettings] = Field(min_length=1)
    chat: list[bool] = Field(default=[False], min_length=1)


class ChainKind(Kind):
    """Chains of named steps, with several wordings of each."""

    name: ClassVar[str] = "chain"
    Settings: ClassVar[type[KindSettings]] = ChainSettings
    settings: ChainSettings

    def __init__(self, settings: ChainSettings, task: Task) -> None:
        super().__init__(settings, task)
        self.options: dict[str, dict[str, Option]] = {}
        for step in settings.steps:
            found = [read_option(n, entry) for n, entry in enumerate(step.templates)]
            self.options[step.name] = {option.name: option for option in found}
        self._check()

    def check(self, model: LanguageModel) -> None:
        """The model writes and scores what the steps ask of it, and chats if asked to."""
        for steps in self._variants():
            for step in steps:
                step.answer_reader.require(model)
        if any(self.settings.chat):
            model.require("chat")

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Every step's template, and chat."""
        chosen, labels = [], []
        chat = suggest_choice(trial, f"{prefix}chat", self.settings.chat)
        for step in self.settings.steps:
            options = self.options[step.name]
            name = suggest_choice(trial, f"{prefix}{step.name}.template", list(options))
            labels.append(f"{step.name}: {name}" if len(options) > 1 else step.name)
            chosen.append(_step(step, options[name], chat=chat).settings())
        shown = f"chain of {' → '.join(labels)}" + (" · chat" if chat else "")
        return Candidate.of(self.name, {"steps": chosen}, shown)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The chain; nothing is learned."""
        return Chain.from_settings(candidate.settings, model)

    def _variants(self) -> list[list[ChainStep]]:
        """Chains in which every template stands once at least."""
        most = max(len(options) for options in self.options.values())
        return [
            [
                _step(step, list(options.values())[min(n, len(options) - 1)], chat=False)
                for step, options in zip(self.settings.steps, self.options.values(), strict=True)
            ]
            for n in range(most)
        ]

    def _check(self) -> None:
        """Names, lists, fields and answers, before a model is needed."""
        if len(self.options) < len(self.settings.steps):
            raise StudyError("two steps have one name; give each a name of its own")
        for steps in self._variants():
            try:
                check_steps(steps)
                last = steps[-1].answer_reader.verbalizer
                if last is not None and self.task.labels:
                    last.check_labels(self.task.labels)
            except InputError as error:
                raise StudyError(str(error)) from error
            missing = [n for n in chain_fields(steps) if n not in self.task.fields]
            if missing:
                raise StudyError(
                    f"the steps read the field {', '.join(map(repr, missing))}, which neither the "
                    f"data has nor a step before says; its fields are {', '.join(self.task.fields)}"
                )


def _step(settings: StepSettings, option: Option, *, chat: bool) -> ChainStep:
    parser, answers = settings.parser, settings.answers
    if parser is None and answers is None:
        answers = option.answers  # type: ignore[assignment]
        parser = None if answers is not None else option.parser  # type: ignore[assignment]
    template = Template.from_settings(
        option.template.settings() | {"chat": chat or option.template.chat}
    )
    answering = AnswerReader(
        None if parser is None else parser_from_settings(parser),
        None if answers is None else Verbalizer(answers),
        Decoding.from_settings(settings.decoding.model_dump(mode="json")),
    )
    return ChainStep(settings.name, template, answering, settings.map, settings.item)
