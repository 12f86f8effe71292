"""Kind *mined_templates*: templates that a corpus gives for the pairs of a relation."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any, ClassVar, Literal

from pydantic import Field

from promptlab.cancellation import current_cancellation
from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.template import (
    Answers,
    InlineTemplate,
    TemplateKind,
    TemplateSettings,
)
from promptlab.data.corpus.entity_pairs import EntityPairs, read_entity_pairs
from promptlab.data.corpus.reader import TEXT, CorpusProgress, CorpusReader
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.events import Phase, current_events
from promptlab.files.provenance import note_file
from promptlab.files.text_file import find_beside
from promptlab.library.mining.mine import Methods, MiningOptions, MiningResult, mine_templates
from promptlab.library.mining.ranking import MinedTemplate
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.calibration import Calibration
from promptlab.predictors.candidate import Candidate
from promptlab.prompts.verbalizer import Aggregation

TRAIN = "train"
"""The pairs are the training examples: their field with their label."""
_JUDGED = "of dev or test"
_SECONDS = 5.0
"""Between two events about progress."""


class MinedTemplatesSettings(KindSettings):
    """``corpus`` is a text or JSON Lines file (its ``column``), ``pairs`` a file or *train*.

    The ``top`` templates that cover the most pairs are candidates, each with every ``ending``
    behind it. ``field`` is the data's field that is the subject, where there are several;
    ``pipeline`` is spaCy's, for dependency paths. Relative files are looked for here, then beside
    the study file.
    """

    corpus: str
    pairs: str = TRAIN
    field: str | None = None
    column: str = TEXT
    method: Methods = "middle"
    pipeline: str | None = None
    top: int = Field(default=10, ge=1)
    min_pairs: int = Field(default=2, ge=1)
    max_words: int = Field(default=10, ge=1)
    ignore_case: bool = False
    ending: list[str] = Field(default=[""], min_length=1)
    verbalizers: list[Literal["targets"] | Answers] = Field(default=["targets"], min_length=1)
    calibration: list[Calibration] = Field(default=["none"], min_length=1)
    aggregation: list[Aggregation] = Field(default=["sum"], min_length=1)
    length_normalise: list[bool] = Field(default=[False], min_length=1)


class MinedTemplatesKind(Kind):
    """Mining of templates (Jiang et al. 2020); dev chooses among them.

    The corpus is read when the first candidate is asked for, not while a study file is checked.
    Pairs of a file whose subject stands in dev or test are left out.
    """

    name: ClassVar[str] = "mined_templates"
    Settings: ClassVar[type[KindSettings]] = MinedTemplatesSettings
    settings: MinedTemplatesSettings

    def __init__(self, settings: MinedTemplatesSettings, task: Task) -> None:
        super().__init__(settings, task)
        self.field = _subject_field(settings.field, task)
        self.options = MiningOptions(
            method=settings.method,
            pipeline=settings.pipeline,
            top=settings.top,
            min_pairs=settings.min_pairs,
            max_words=settings.max_words,
            ignore_case=settings.ignore_case,
            column=settings.column,
            field=self.field,
        )
        self.corpus = find_beside(settings.corpus, settings.location.source)
        CorpusReader(self.corpus, settings.column)  # raises for what is no corpus
        note_file(self.corpus)
        self.pairs = self._pairs()

    @cached_property
    def mined(self) -> MiningResult:
        """The templates; mining tells how far it is, and stops when the study is to stop."""
        events = current_events()
        if events is not None:
            events.emit(Phase(f"mining templates from {self.corpus.name}"))
        last = time.monotonic()

        def tell(found: CorpusProgress) -> None:
            nonlocal last
            if events is not None and time.monotonic() - last > _SECONDS:
                last = time.monotonic()
                events.emit(Phase(str(found)))

        result = mine_templates(
            self.corpus,
            self.pairs,
            self.options,
            on_progress=tell,
            cancellation=current_cancellation(),
        )
        if events is not None:
            for line in result.describe():
                events.emit(Phase(line))
        return result

    @cached_property
    def sources(self) -> dict[str, MinedTemplate]:
        """What each candidate's text was mined from: every template with every ending."""
        return {
            f"{template.text}{ending}": template
            for template in self.mined.templates
            for ending in self.settings.ending
        }

    @cached_property
    def templates(self) -> TemplateKind:
        """The mined templates as if they had been written into the study file."""
        settings = self.settings
        group = TemplateSettings(
            kind="template",
            templates=[InlineTemplate(text=text) for text in self.sources],
            verbalizers=list(settings.verbalizers),
            calibration=settings.calibration,
            aggregation=settings.aggregation,
            length_normalise=settings.length_normalise,
        )
        group.set_location(settings.location)
        return TemplateKind(group, self.task)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """Which template, and what scores its answers."""
        found = self.templates.suggest(trial, prefix)
        return Candidate.of(self.name, self._supported(found.settings), found.name)

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """A classifier over the template, fitted on the training examples."""
        return self.templates.fit(candidate, model)

    def check(self, model: LanguageModel) -> None:
        """Every mined template with every verbalizer must be sayable to the model."""
        self.templates.check(model)

    def _supported(self, settings: dict[str, Any]) -> dict[str, Any]:
        """A candidate's settings with what its template was mined from."""
        source = self.sources[settings["template"]["text"]]
        mined = {"pairs": source.pairs, "sentences": source.sentences, "by": list(source.methods)}
        return settings | {"mined": mined}

    def _pairs(self) -> EntityPairs:
        settings, case = self.settings, self.settings.ignore_case
        if settings.pairs == TRAIN:
            texts = [(e.fields[self.field], e.label or "") for e in self.task.train]
            try:
                return EntityPairs.from_texts(
                    texts, subject=self.field, object="label", ignore_case=case
                )
            except DataError as error:
                raise StudyError(
                    f"train gives no pairs ({error}); give some training examples, or a file of "
                    "pairs"
                ) from error
        path = find_beside(settings.pairs, settings.location.source)
        found = read_entity_pairs(path, ignore_case=case)
        judged = [e.fields[self.field] for e in (*self.task.dev, *self.task.test)]
        return found.without(judged, _JUDGED)


def _subject_field(given: str | None, task: Task) -> str:
    """The field of the task that is the subject. Raises `StudyError`."""
    if given is None and len(task.fields) == 1:
        return task.fields[0]
    if given not in task.fields:
        asked = "names no field" if given is None else f"is {given!r}, which the data lacks"
        raise StudyError(f"field {asked}; it is the subject: one of {', '.join(task.fields)}")
    return given
