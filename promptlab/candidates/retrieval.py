"""Kind *retrieval*: an inner candidate answers with passages that are like the example."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.knowledge import with_field
from promptlab.candidates.wrapper import WrappingKind, WrappingSettings, make_inner
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.files.text_file import find_beside
from promptlab.models.base import LanguageModel
from promptlab.predictors.retrieval import Similarity, check_embeds
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.wrapper import WrappingStrategy
from promptlab.strategies.retrieval import TEXT, TRAIN, PassageIndex, Retrieval, read_passages


class RetrievalSettings(WrappingSettings):
    """``passages``: *train*, a list of texts, or a file, whose ``column`` holds them.

    They stand in the inner templates' field ``field``; ``query`` names the fields that are
    searched with. A relative file is looked for here, then beside the study file.
    """

    passages: str | list[str]
    k: list[int] = Field(default=[3], min_length=1)
    method: list[Similarity] = Field(default=["bm25"], min_length=1)
    field: str = "context"
    query: list[str] | None = Field(default=None, min_length=1)
    column: str = TEXT


class RetrievalKind(WrappingKind):
    """Retrieval of supporting content around any kind whose templates read it."""

    name: ClassVar[str] = "retrieval"
    Settings: ClassVar[type[KindSettings]] = RetrievalSettings
    settings: RetrievalSettings

    def __init__(self, settings: RetrievalSettings, task: Task) -> None:
        if settings.field in task.fields:
            raise StudyError(
                f"the data has a field {settings.field!r} itself; name the passages otherwise: "
                "field: passages, and {passages} in the inner templates"
            )
        super().__init__(settings, task)
        for name in settings.query or ():
            if name not in task.fields:
                raise StudyError(
                    f"query names the field {name!r}, which the data lacks; its fields are "
                    f"{', '.join(task.fields)}"
                )
        self.query = tuple(settings.query or task.fields)
        if any(k < 1 for k in settings.k):
            raise StudyError("k is the number of passages; at least one is looked for")
        self.passages: list[str] | None = None  # the training examples
        if settings.passages != TRAIN:
            self.passages = (
                list(settings.passages)
                if isinstance(settings.passages, list)
                else read_passages(
                    find_beside(settings.passages, settings.location.source), settings.column
                )
            )
        if not (task.train if self.passages is None else self.passages):
            raise StudyError("there are no passages to look in; give at least one")

    def inner_task(self, task: Task) -> Task:
        """The task with an empty field for the passages."""
        return with_field(task, self.settings.field)

    def check(self, model: LanguageModel) -> None:
        """Vectors, if passages are compared by them."""
        if "embedding" in self.settings.method:
            check_embeds(model)
        super().check(model)

    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """k and method."""
        own = self.settings
        k = suggest_choice(trial, f"{prefix}k", own.k)
        method = suggest_choice(trial, f"{prefix}method", own.method)
        source = "training example" if self.passages is None else "passage"
        labels.append(f"{k} retrieved {source}{'s' if k > 1 else ''} ({method})")
        return {
            "k": k,
            "method": method,
            "field": own.field,
            "query": list(self.query),
            "passages": TRAIN if self.passages is None else _digest(self.passages),
        }

    def fit_inner(self, settings: Mapping[str, Any], model: LanguageModel) -> Strategy:
        """Fitted on training and dev examples with passages of their own."""
        shelf = self._shelf(settings, model)
        task = with_field(self.task, settings["field"])
        field = settings["field"]
        train = shelf.augmented(self.task.train, self.query, field, training=True)
        dev = shelf.augmented(self.task.dev, self.query, field)
        task = replace(task, train=tuple(train), dev=tuple(dev))
        return self.fitted_inner(make_inner(self.settings.inner, task), settings, model)

    def wrap(
        self, inner: Strategy, settings: Mapping[str, Any], model: LanguageModel
    ) -> WrappingStrategy:
        """The inner strategy with its passages."""
        return Retrieval(
            inner,
            TRAIN if self.passages is None else self.passages,
            k=settings["k"],
            method=settings["method"],
            field=settings["field"],
            query=settings["query"],
        )

    def _shelf(self, settings: Mapping[str, Any], model: LanguageModel) -> PassageIndex:
        k, method = settings["k"], settings["method"]
        if self.passages is None:
            return PassageIndex.of_training(self.task.train, self.query, k, method, model)
        return PassageIndex(self.passages, k, method, model)


def _digest(passages: list[str]) -> str:
    return hashlib.sha256("\0".join(passages).encode()).hexdigest()[:16]
