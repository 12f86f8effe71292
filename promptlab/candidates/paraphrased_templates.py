"""Kind *paraphrased_templates*: templates in other words, by translation or by rewriting."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field, model_validator

from promptlab.cancellation import current_cancellation
from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dry_run import is_dry_run
from promptlab.candidates.template import (
    InlineTemplate,
    Option,
    TemplateKind,
    TemplateSettings,
    read_option,
)
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.events import Phase, current_events
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model, note_model
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.verbalizer import Aggregation
from promptlab.tuning.paraphrasing.paraphrase import (
    Paraphrase,
    ParaphrasingResult,
    paraphrase_by_rewriting,
    paraphrase_by_translation,
)
from promptlab.tuning.paraphrasing.translator import Translator


class ParaphrasedTemplatesSettings(KindSettings):
    """Wordings of ``templates``, the ``top`` likeliest of each.

    With ``forward`` and ``backward``, two translation models, a template is translated there and
    back, in ``beams``² ways (Jiang et al. 2020); ``language`` and ``other`` name the languages for
    models of many, ``forward_prefix`` and ``backward_prefix`` are what T5 wants before a text.
    Without them ``writer`` (else the study's own model) says it in other words in ``samples``
    replies.
    """

    templates: list[str | InlineTemplate] = Field(min_length=1)
    forward: str | None = None
    backward: str | None = None
    language: str | None = None
    other: str | None = None
    forward_prefix: str = ""
    backward_prefix: str = ""
    writer: str | None = None
    beams: int = Field(default=7, ge=1)
    samples: int = Field(default=12, ge=1)
    top: int = Field(default=10, ge=1)
    calibration: list[Calibration] = Field(default=["none"], min_length=1)
    aggregation: list[Aggregation] = Field(default=["sum"], min_length=1)
    length_normalise: list[bool] = Field(default=[False], min_length=1)

    @model_validator(mode="after")
    def _both_ways(self) -> ParaphrasedTemplatesSettings:
        if (self.forward is None) != (self.backward is None):
            raise ValueError("forward and backward go together: a translation there, and one back")
        return self


class ParaphrasedTemplatesKind(Kind):
    """Paraphrasing of templates; models are asked when the first candidate is needed."""

    name: ClassVar[str] = "paraphrased_templates"
    Settings: ClassVar[type[KindSettings]] = ParaphrasedTemplatesSettings
    settings: ParaphrasedTemplatesSettings

    def __init__(self, settings: ParaphrasedTemplatesSettings, task: Task) -> None:
        super().__init__(settings, task)
        self.options = [read_option(n, entry) for n, entry in enumerate(settings.templates)]
        bare = [option.name for option in self.options if option.answers is None]
        if bare:
            raise StudyError(f"template {bare[0]!r} has no answers; give it some")
        self._model: LanguageModel | None = None

    def check(self, model: LanguageModel) -> None:
        """Whoever translates or writes must be able to; wordings must be sayable to the model."""
        self._model = model
        for key in ("forward", "backward", "writer"):
            if (named := getattr(self.settings, key)) is not None and not is_dry_run():
                note_model(named, key)
        self.templates.check(model)

    @cached_property
    def sources(self) -> dict[str, tuple[Option, Paraphrase]]:
        """What every candidate's text is a wording of. Raises `StudyError` where there is none."""
        found: dict[str, tuple[Option, Paraphrase]] = {}
        told: list[str] = []
        for option in self.options:
            result = self._paraphrase(option.template.source)
            told += result.describe()
            for one in result.paraphrases:
                found.setdefault(one.text, (option, one))
        for line in told:
            _tell(line)
        if not found:
            raise StudyError(f"no wording is of use: {'; '.join(told)}")
        return found

    def _paraphrase(self, source: str) -> ParaphrasingResult:
        if is_dry_run():
            stand_ins = (f"{n}. {source}" for n in range(1, self.settings.top + 1))
            wordings = tuple(Paraphrase(text, 0.0, "rewriting") for text in stand_ins)
            return ParaphrasingResult(source, wordings, len(wordings))
        chosen, cancellation = self.settings, current_cancellation()
        if chosen.forward is not None and chosen.backward is not None:
            there = Translator(
                load_model(chosen.forward), source=chosen.language, target=chosen.other,
                prefix=chosen.forward_prefix,
            )  # fmt: skip
            back = Translator(
                load_model(chosen.backward), source=chosen.other, target=chosen.language,
                prefix=chosen.backward_prefix,
            )  # fmt: skip
            return paraphrase_by_translation(
                source, there, back, beams=chosen.beams, top=chosen.top, on_step=_tell,
                cancellation=cancellation,
            )  # fmt: skip
        writer = self._model if chosen.writer is None else load_model(chosen.writer)
        if writer is None:
            raise StudyError("name the writer of the wordings, or two translation models")
        return paraphrase_by_rewriting(
            source, writer, samples=chosen.samples, top=chosen.top, on_step=_tell,
            cancellation=cancellation,
        )  # fmt: skip

    @cached_property
    def templates(self) -> TemplateKind:
        """The wordings as if they had been written into the study file."""
        settings = self.settings
        group = TemplateSettings(
            kind="template",
            templates=[
                InlineTemplate(text=text, answers=dict(option.answers or {}))
                for text, (option, _) in self.sources.items()
            ],
            calibration=settings.calibration,
            aggregation=settings.aggregation,
            length_normalise=settings.length_normalise,
        )
        group.set_location(settings.location)
        return TemplateKind(group, self.task)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Which wording, and what scores its answers."""
        found = self.templates.suggest(trial, prefix)
        option, source = self.sources[found.settings["template"]["text"]]
        paraphrased: dict[str, Any] = {"of": option.name} | source.record()
        del paraphrased["text"]
        return Candidate.of(self.name, found.settings | {"paraphrased": paraphrased}, found.name)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A classifier over the wording, fitted on the training examples."""
        return self.templates.fit(candidate, model)


def _tell(text: str) -> None:
    events = current_events()
    if events is not None:
        events.emit(Phase(text))
