"""Kind *per_example_prompts*: the model writes what an example is about, then answers with it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.knowledge import KnowledgeKind, KnowledgeSettings
from promptlab.candidates.template import DecodingSettings, InlineTemplate
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.files.settings import Seed
from promptlab.strategies.example_features import example_features

_NAME = "features"


class PerExamplePromptsSettings(KnowledgeSettings):
    """The inner group's templates read what the model has written of each example as {features}.

    It is shown how by ``shown`` training examples with their features, which are computed: up to
    ``features`` words, those that tell most of the ``domain`` (a field of the data), else those of
    most weight in the text (Ben-David et al. 2022, PADA). Everything else is as for *knowledge*: an
    example of which nothing is written stays unanswered and is counted so, unless ``bare`` asks the
    inner prompt without features, too.
    """

    templates: list[str | InlineTemplate] = Field(default=[])
    domain: str | None = None
    features: int = Field(default=4, ge=1)
    shown: int = Field(default=4, ge=1)
    seed: Seed = 13
    count: list[int] = Field(default=[1], min_length=1)
    bare: list[bool] = Field(default=[False], min_length=1)
    field: str = _NAME
    decoding: DecodingSettings = DecodingSettings(max_tokens=24, stop=("\n",))


class PerExamplePromptsKind(KnowledgeKind):
    """PADA: prompts that are written for each example from features of its domain."""

    name: ClassVar[str] = "per_example_prompts"
    Settings: ClassVar[type[KindSettings]] = PerExamplePromptsSettings
    settings: PerExamplePromptsSettings

    def __init__(self, settings: PerExamplePromptsSettings, task: Task) -> None:
        if settings.domain is not None and settings.domain not in task.fields:
            raise StudyError(
                f"domain: the data has no field {settings.domain!r}; its fields are "
                f"{', '.join(task.fields)}"
            )
        if not task.train:
            raise StudyError("features are computed of training examples, and there are none")
        self._texts = [name for name in task.fields if name != settings.domain]
        if not settings.templates:
            asked = "\n".join(f"{name.capitalize()}: {{{name}}}" for name in self._texts)
            template = InlineTemplate(name="what it is about", text=f"{asked}\nAbout: {{mask}}")
            settings = settings.model_copy(update={"templates": [template]})
        super().__init__(settings, task)
        self.shown = self._shown(settings, task)

    def _shown(self, settings: PerExamplePromptsSettings, task: Task) -> list[dict[str, Any]]:
        """The training examples that show how, with their features."""
        texts = [" ".join(str(e.fields[name]) for name in self._texts) for e in task.train]
        domains = None
        if settings.domain is not None:
            domains = [str(example.fields[settings.domain]) for example in task.train]
        features = example_features(texts, domains, count=settings.features)
        pairs = [pair for pair in zip(task.train, features, strict=True) if pair[1]]
        if not pairs:
            raise StudyError("no training text has a word that could be a feature")
        drawn = random.Random(settings.seed).sample(pairs, min(settings.shown, len(pairs)))
        return [
            {"fields": {name: str(e.fields[name]) for name in task.fields}, "knowledge": said}
            for e, said in drawn
        ]

    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """As of *knowledge*; the demonstrations are those computed, unless some are given."""
        own: list[str] = []
        found = super().own_dimensions(trial, prefix, own)
        labels.append("per-example prompts")
        labels.extend(own[1:])
        given: Mapping[str, Any] = found
        return {**given, "demonstrations": found["demonstrations"] or self.shown}
