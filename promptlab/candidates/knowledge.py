"""Kind *knowledge*: an inner candidate answers with statements that the model wrote first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import DecodingSettings, InlineTemplate, read_option
from promptlab.candidates.wrapper import WrappingKind, WrappingSettings, make_inner
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.files.settings import Settings
from promptlab.models.base import LanguageModel
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.wrapper import WrappingStrategy
from promptlab.prompts.decoding import Decoding
from promptlab.prompts.template import Demonstration, Template
from promptlab.strategies.generated_knowledge import (
    DEFAULT_DECODING,
    AnswerChoice,
    GeneratedKnowledge,
    KnowledgeGenerator,
    augment_with_knowledge,
)


class StatementSettings(Settings):
    """An example and a statement about it, which show the model what to write."""

    fields: dict[str, str]
    knowledge: str


class KnowledgeSettings(WrappingSettings):
    """``templates`` ask for a statement, which the inner group's templates read as {knowledge}."""

    templates: list[str | InlineTemplate] = Field(min_length=1)
    demonstrations: list[StatementSettings] = Field(default=[])
    count: list[int] = Field(default=[5], min_length=1)
    choose: list[AnswerChoice] = Field(default=["confidence"], min_length=1)
    bare: list[bool] = Field(default=[True], min_length=1)
    field: str = "knowledge"
    decoding: DecodingSettings = DecodingSettings(**DEFAULT_DECODING.settings())
    temperature: list[float] | None = Field(default=None, min_length=1)


class KnowledgeKind(WrappingKind):
    """Generated knowledge (Liu et al. 2022) around any kind whose templates read it."""

    name: ClassVar[str] = "knowledge"
    Settings: ClassVar[type[KindSettings]] = KnowledgeSettings
    settings: KnowledgeSettings

    def __init__(self, settings: KnowledgeSettings, task: Task) -> None:
        if settings.field in task.fields:
            raise StudyError(
                f"the data has a field {settings.field!r} itself; name the knowledge otherwise: "
                "field: facts, and {facts} in the inner templates"
            )
        super().__init__(settings, task)
        found = [read_option(n, entry) for n, entry in enumerate(settings.templates)]
        self.options = {option.name: option for option in found}
        for option in self.options.values():
            missing = [name for name in option.template.fields if name not in task.fields]
            if missing:
                raise StudyError(
                    f"the knowledge template {option.name!r} reads the field {missing[0]!r}, which "
                    f"the data lacks; its fields are {', '.join(task.fields)}"
                )

    def inner_task(self, task: Task) -> Task:
        """The task with an empty statement in every example."""
        return with_field(task, self.settings.field)

    def check(self, model: LanguageModel) -> None:
        """The model writes."""
        model.require("generate")
        super().check(model)

    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """template, count, choice, whether the bare question counts, temperature."""
        own = self.settings
        name = suggest_choice(trial, f"{prefix}template", list(self.options))
        count = suggest_choice(trial, f"{prefix}count", own.count)
        labels.append(f"generated knowledge, {count} statement{'s' if count > 1 else ''}")
        labels.extend([name] if len(self.options) > 1 else [])
        chosen = suggest_choice(trial, f"{prefix}choose", own.choose)
        labels.append(f"by {chosen}")
        bare = suggest_choice(trial, f"{prefix}bare", own.bare)
        labels.extend([] if bare or len(own.bare) == 1 else ["without the bare question"])
        decoding = own.decoding.model_dump(mode="json")
        if own.temperature is not None:
            decoding["temperature"] = suggest_choice(trial, f"{prefix}temperature", own.temperature)
            labels.append(f"temperature {decoding['temperature']:g}")
        return {
            "template": self.options[name].template.settings(),
            "demonstrations": [one.model_dump(mode="json") for one in own.demonstrations],
            "count": count,
            "choose": chosen,
            "bare": bare,
            "field": own.field,
            "decoding": decoding,
        }

    def fit_inner(self, settings: Mapping[str, Any], model: LanguageModel) -> Strategy:
        """Fitted on training examples with statements of their own, where it looks at them."""
        if not _looks_at_training(settings["inner"]):
            return super().fit_inner(settings, model)
        field = settings["field"]
        train = augment_with_knowledge(self.task.train, _writer(settings, model), field, write=True)
        task = replace(with_field(self.task, field), train=tuple(train))
        return self.fitted_inner(make_inner(self.settings.inner, task), settings, model)

    def wrap(
        self, inner: Strategy, settings: Mapping[str, Any], model: LanguageModel
    ) -> WrappingStrategy:
        """The inner strategy with the model's own statements."""
        writer = _writer(settings, model)
        return GeneratedKnowledge(
            inner,
            writer.template,
            count=settings["count"],
            choose=settings["choose"],
            bare=settings["bare"],
            field=settings["field"],
            decoding=writer.decoding,
            demonstrations=writer.demonstrations,
        )


def with_field(task: Task, field: str) -> Task:
    """The task with a further field, empty in every example."""
    splits: dict[str, Any] = {
        name: tuple(replace(e, fields={**e.fields, field: ""}) for e in examples)
        for name, examples in task.splits.items()
    }
    return replace(task, fields=(*task.fields, field), **splits)


def _writer(settings: Mapping[str, Any], model: LanguageModel) -> KnowledgeGenerator:
    return KnowledgeGenerator(
        Template.from_settings(settings["template"]),
        model,
        Decoding.from_settings(settings["decoding"]),
        tuple(Demonstration(d["fields"], d["knowledge"]) for d in settings["demonstrations"]),
    )


def _looks_at_training(inner: Mapping[str, Any]) -> bool:
    """Whether the texts of training examples matter: not for a bare template."""
    settings = inner["settings"]
    return inner["kind"] != "template" or settings.get("calibration") == "batch"
