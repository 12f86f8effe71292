"""Kind *decomposition*: tagging by one prompt a stretch of words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.template import OWN, Option, TemplateKind, TemplateSettings
from promptlab.data.spans import read_spans
from promptlab.data.task import FEW_SHOT_SEEDS
from promptlab.errors import InputError, StudyError
from promptlab.files.settings import Seed
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.verbalizer import Verbalizer
from promptlab.strategies.span_decomposition.spans import Keep, Selection
from promptlab.strategies.span_decomposition.strategy import (
    SPAN,
    SpanDecomposition,
    outside_label,
    text_field,
)


class DecompositionSettings(TemplateSettings):
    """Templates with ``{span}`` and a label for no name; ``bias`` in nats, or tuned on train."""

    text: str | None = None
    outside: str | None = None
    longest: list[int] = Field(default=[3], min_length=1)
    keep: list[Keep] = Field(default=["words"], min_length=1)
    selection: list[Selection] = Field(default=["optimal"], min_length=1)
    bias: list[float | Literal["tuned"]] = Field(default=["tuned"], min_length=1)
    demonstrations: list[int] = Field(default=[0], min_length=1)
    seed: list[Seed] = Field(default=[FEW_SHOT_SEEDS[0]], min_length=1)


class DecompositionKind(TemplateKind):
    """Template-based tagging (Cui et al. 2021) with searched templates, answers and selection."""

    name: ClassVar[str] = "decomposition"
    Settings: ClassVar[type[KindSettings]] = DecompositionSettings
    settings: DecompositionSettings

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Template and verbalizer, which stretches are asked about, and how they are chosen."""
        option = self.options[suggest_choice(trial, f"{prefix}template", list(self.options))]
        template = self._template(trial, prefix, option)
        labels = [f"{option.name} by spans"]
        settings: dict[str, Any] = {"template": template.settings()}
        settings |= self._scored(trial, prefix, option, labels)
        settings |= {"text": self._text(option), "outside": self.settings.outside}
        for name in ("longest", "keep", "selection", "bias"):
            values = getattr(self.settings, name)
            settings[name] = suggest_choice(trial, f"{prefix}{name}", values)
            labels.extend([f"{name} {settings[name]}"] if len(values) > 1 else [])
        count = suggest_choice(trial, f"{prefix}demonstrations", self.settings.demonstrations)
        if count:
            seed = suggest_choice(trial, f"{prefix}seed", self.settings.seed)
            settings |= {"demonstrations": count, "seed": seed}
            labels.append(f"{count} demonstrations (seed {seed})")
        return Candidate.of(self.name, settings, " · ".join(labels))

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The bias is tuned on the training examples; dev and test are not looked at."""
        return SpanDecomposition.from_settings(candidate.settings, model).fit(self.task.train)

    def check(self, model: LanguageModel) -> None:
        """Every template with every verbalizer must be sayable to the model."""
        model.require("score")
        example = (self.task.train or self.task.dev)[0]
        for option in self.options.values():
            for chat in self.settings.chat:
                template = replace(option.template, chat=chat or option.template.chat)
                prompt = template.render({**example.fields, SPAN: "a phrase"})
                for chosen in self.verbalizers.values():
                    answers = option.answers if isinstance(chosen, str) else chosen
                    try:
                        model.check([prompt], Verbalizer(answers or {}).answers)
                    except InputError as error:
                        raise StudyError(f"template {option.name!r}: {error}") from error

    def _text(self, option: Option) -> str:
        return self.settings.text or text_field(option.template)

    def _check(self) -> None:
        """Everything that can be wrong before a model is needed."""
        if not self.options:
            raise StudyError("the group has no templates")
        for option in self.options.values():
            if SPAN not in option.template.fields:
                raise StudyError(
                    f"template {option.name!r} does not say which words it asks about; write "
                    "{span} in it"
                )
            for name in (self._text(option), *option.template.fields):
                if name not in (*self.task.fields, SPAN):
                    raise StudyError(
                        f"template {option.name!r} reads the field {name!r}, which the data "
                        f"lacks; its fields are {', '.join(self.task.fields)}"
                    )
            for answers in self.verbalizers.values():
                chosen = option.answers if answers == OWN else answers
                if not chosen or isinstance(chosen, str):
                    raise StudyError(
                        f"template {option.name!r} has no answers of its own; list verbalizers "
                        "with an answer for every type and for no name"
                    )
                self._check_types(option.name, Verbalizer(chosen))

    def _check_types(self, name: str, verbalizer: Verbalizer) -> None:
        """The data's types must be the verbalizer's."""
        outside = self.settings.outside or outside_label(verbalizer)
        for example in self.task.train:
            spans = read_spans(example.label or "")
            if spans is None:
                raise StudyError(
                    f"the label of example {example.id!r} is no list of 'phrase -> TYPE' lines: "
                    f"{example.label!r}; tagged data has one such line a span, or the word none"
                )
            for span in spans:
                if span.type not in verbalizer.labels or span.type == outside:
                    raise StudyError(
                        f"template {name!r} has no answer for the type {span.type!r} of the "
                        f"data; its labels are {', '.join(verbalizer.labels)}"
                    )
