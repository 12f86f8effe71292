"""Kinds whose candidates hold a candidate of another kind: retrieval, self-consistency, ..."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, SerializeAsAny

from promptlab.candidates.base import Kind, KindSettings, Trial, find_kind
from promptlab.data.task import Task
from promptlab.errors import InputError, Location, StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.wrapper import WrappingStrategy


def read_group(value: Any) -> KindSettings:
    """A group of candidates as it stands in a study file, read by its own kind's settings."""
    if isinstance(value, KindSettings):
        return value
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ValueError("a group of candidates is a mapping with the key 'kind'")
    try:
        settings = find_kind(str(value["kind"])).Settings
    except InputError as error:
        raise ValueError(str(error)) from error
    return settings.model_validate(value)


Group = Annotated[SerializeAsAny[KindSettings], BeforeValidator(read_group)]
"""A whole group of candidates inside another one's settings."""


class WrappingSettings(KindSettings):
    """``inner`` is a whole group of candidates of any kind that gives strategies."""

    inner: Group

    def set_location(self, location: Location) -> None:
        """Remember file and line, for the inner group, too."""
        super().set_location(location)
        self.inner.set_location(location)


class WrappingKind(Kind):
    """A kind around the candidates of another kind, which may be a wrapping one itself.

    The inner kind's dimensions are named ``<group>.inner.``; a candidate's settings hold
    ``inner`` (the inner candidate's kind, settings and name) beside the kind's own. A subclass
    gives `own_dimensions` and `wrap`.
    """

    Settings: ClassVar[type[KindSettings]] = WrappingSettings
    settings: Any

    def __init__(self, settings: Any, task: Task) -> None:
        super().__init__(settings, task)
        self.inner = make_inner(settings.inner, self.inner_task(task))
        if self.inner.saves_fitted:  # a fitted wrapper is as dear as what it wraps
            self.saves_fitted = True  # type: ignore[misc]

    @abstractmethod
    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """The kind's own dimensions as settings; their names for readers are added to labels."""

    @abstractmethod
    def wrap(
        self, inner: Strategy, settings: Mapping[str, Any], model: LanguageModel
    ) -> WrappingStrategy:
        """The strategy of a candidate's ``settings`` around its inner one."""

    def inner_task(self, task: Task) -> Task:
        """The task as the inner kind sees it: with the fields that the wrapper adds."""
        return task

    def check(self, model: LanguageModel) -> None:
        """The inner kind's check, its complaints named as such."""
        try:
            self.inner.check(model)
        except InputError as error:
            raise type(error)(f"inner ({self.inner.name}): {error}") from error

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """The inner candidate's dimensions, then the wrapper's."""
        inner = self.inner.suggest(trial, f"{prefix}inner.")
        labels: list[str] = []
        own = self.own_dimensions(trial, prefix, labels)
        settings = {"inner": inner_record(inner)} | own
        return Candidate.of(self.name, settings, " · ".join([inner.name, *labels]))

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The inner candidate fitted, then wrapped."""
        settings = candidate.settings
        inner = self.fit_inner(settings, model)
        made = self.wrap(inner, settings, model)
        made.learn(self.task.train)
        return made

    def fit_inner(self, settings: Mapping[str, Any], model: LanguageModel) -> Strategy:
        """The fitted strategy of a candidate's ``inner``."""
        return self.fitted_inner(self.inner, settings, model)

    def fitted_inner(
        self, kind: Kind, settings: Mapping[str, Any], model: LanguageModel
    ) -> Strategy:
        """What ``kind``, the inner one for some task, fits for a candidate's ``inner``."""
        fitted = kind.fit(inner_candidate(settings["inner"]), model)
        if not isinstance(fitted, Strategy):
            raise StudyError(_no_strategy(self.inner.name, type(fitted).__name__))
        return fitted


def make_inner(settings: KindSettings, task: Task, *, strategies: bool = True) -> Kind:
    """The kind of an inner group. Raises `StudyError` for one that gives no ``strategies``."""
    kind = find_kind(settings.kind)
    if strategies and not kind.is_strategy:
        raise StudyError(_no_strategy(settings.kind, "it"))
    if kind.runs_after:
        raise StudyError(
            f"inner ({settings.kind}): its candidates build on others of the study, so it cannot "
            "stand inside another kind; list it as a group of its own"
        )
    try:
        return kind(settings, task)
    except InputError as error:
        raise StudyError(f"inner ({settings.kind}): {error}") from error


def inner_record(candidate: Candidate) -> dict[str, Any]:
    """A candidate as a part of another one's settings."""
    return {"kind": candidate.kind, "settings": candidate.settings, "name": candidate.name}


def inner_candidate(record: Mapping[str, Any]) -> Candidate:
    """The inverse of `inner_record`."""
    return Candidate.of(record["kind"], record["settings"], record["name"])


def _no_strategy(kind: str, made: str) -> str:
    return (
        f"inner ({kind}): {made} is no strategy that solves example by example, so nothing can be "
        "put around it; use a kind whose prompts are scored or generated, such as template, "
        "demonstrations, soft_prompt or chain_of_thought"
    )
