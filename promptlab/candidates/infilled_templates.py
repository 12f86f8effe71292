"""Kind *infilled_templates*: templates that a model fills in around the training examples."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from promptlab.cancellation import current_cancellation
from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dry_run import is_dry_run
from promptlab.candidates.template import Answers, InlineTemplate, TemplateKind, TemplateSettings
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.events import Phase, current_events
from promptlab.files.settings import Seed
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model, note_model
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.verbalizer import Aggregation, Verbalizer
from promptlab.tuning.infilling.fillers import find_filler
from promptlab.tuning.infilling.infill import (
    InfilledTemplate,
    InfillingOptions,
    InfillingResult,
    Shape,
    infill_templates,
)


class InfilledTemplatesSettings(KindSettings):
    """Templates that are to be likely around all training examples with their answers.

    ``answers`` are those of every label; the first one of each is what is filled around. ``filler``
    names a model with T5's sentinels or with fill-in-the-middle tokens. ``shapes`` say where words
    may stand, ``beams`` how many texts the search keeps, ``most_tokens`` how long each of the two
    holes may be, ``least_tokens`` how long the one before the answer must be, ``per_label`` around
    how many examples of a label. The ``top`` likeliest are candidates (Gao et al. 2021, LM-BFF),
    and dev chooses.
    """

    answers: Answers
    filler: str
    shapes: list[Shape] = Field(default=["after"], min_length=1)
    beams: int = Field(default=20, ge=1)
    most_tokens: int = Field(default=8, ge=1)
    least_tokens: int = Field(default=1, ge=0)
    per_label: int = Field(default=16, ge=1)
    top: int = Field(default=10, ge=1)
    seed: Seed = 13
    calibration: list[Calibration] = Field(default=["none"], min_length=1)
    aggregation: list[Aggregation] = Field(default=["sum"], min_length=1)
    length_normalise: list[bool] = Field(default=[False], min_length=1)


class InfilledTemplatesKind(Kind):
    """Generation of templates by infilling; the filler is asked when the first one is needed."""

    name: ClassVar[str] = "infilled_templates"
    Settings: ClassVar[type[KindSettings]] = InfilledTemplatesSettings
    settings: InfilledTemplatesSettings

    def __init__(self, settings: InfilledTemplatesSettings, task: Task) -> None:
        super().__init__(settings, task)
        if not task.train:
            raise StudyError("templates are filled in around training examples; there are none")
        self.verbalizer = Verbalizer(settings.answers)
        if task.labels:
            self.verbalizer.check_labels(task.labels)
        self.options = InfillingOptions(
            shapes=tuple(settings.shapes), beams=settings.beams, top=settings.top,
            most_tokens=settings.most_tokens, least_tokens=settings.least_tokens,
            per_label=settings.per_label, seed=settings.seed,
        )  # fmt: skip

    def check(self, model: LanguageModel) -> None:
        """The filler must be able to fill; every template must be sayable to the model."""
        if not is_dry_run():
            note_model(self.settings.filler, "filler")
            find_filler(self._filler)
        self.templates.check(model)

    @cached_property
    def _filler(self) -> LanguageModel:
        return load_model(self.settings.filler)

    @cached_property
    def infilled(self) -> InfillingResult:
        """The templates; the search tells how far it is, and stops when the study is to stop."""
        if is_dry_run():
            fields = " ".join("{" + name + "}" for name in self.task.fields)
            texts = (
                f"{fields} In {n} words it was {{mask}}." for n in range(1, self.options.top + 1)
            )
            stand_ins = tuple(InfilledTemplate(text, 0.0, "after") for text in texts)
            return InfillingResult(stand_ins, self.settings.filler, {})
        events = current_events()

        def tell(text: str) -> None:
            if events is not None:
                events.emit(Phase(text))

        first = {label: next(iter(answers)) for label, answers in self.verbalizer.mapping().items()}
        result = infill_templates(
            self._filler, self.task.train, first, self.task.fields, self.options,
            on_step=tell, cancellation=current_cancellation(),
        )  # fmt: skip
        for line in result.describe():
            tell(line)
        if not result.templates:
            raise StudyError(
                f"{self.settings.filler} fills in no template ({'; '.join(result.describe())}); "
                "give more beams, more examples or another filler"
            )
        return result

    @cached_property
    def sources(self) -> dict[str, InfilledTemplate]:
        """What every candidate's text was filled in as."""
        return {template.text: template for template in self.infilled.templates}

    @cached_property
    def templates(self) -> TemplateKind:
        """The templates as if they had been written into the study file."""
        settings = self.settings
        group = TemplateSettings(
            kind="template",
            templates=[
                InlineTemplate(text=text, answers=settings.answers) for text in self.sources
            ],
            calibration=settings.calibration,
            aggregation=settings.aggregation,
            length_normalise=settings.length_normalise,
        )
        group.set_location(settings.location)
        return TemplateKind(group, self.task)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Which template, and what scores its answers."""
        found = self.templates.suggest(trial, prefix)
        source = self.sources[found.settings["template"]["text"]]
        infilled: dict[str, Any] = {"score": source.score, "shape": source.shape}
        return Candidate.of(self.name, found.settings | {"infilled": infilled}, found.name)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A classifier over the template, fitted on the training examples."""
        return self.templates.fit(candidate, model)
