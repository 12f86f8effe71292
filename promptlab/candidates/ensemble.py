"""Kind *ensemble*: the study's best candidates together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt, field_validator

from promptlab.candidates.base import Kind, KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.member_pool import MemberPool, kinds_to_run_first
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.predictors.ensemble.cascade import Cascade
from promptlab.predictors.ensemble.ensemble import Ensemble
from promptlab.predictors.ensemble.thresholds import Measure
from promptlab.tuning.fit_context import CompletedTrial

Together = Literal["majority", "mean", "dev_accuracy", "learned", "stacking", "cascade"]
_TOLD = {
    "majority": "majority",
    "mean": "mean",
    "dev_accuracy": "mean by dev accuracy",
    "learned": "learned weights",
    "stacking": "stacking",
    "cascade": "cascade",
}


class EnsembleSettings(KindSettings):
    """``top``: how many candidates go together, of the groups or kinds ``of`` (all but ensembles).

    They are the best on dev, or with ``diverse`` what ``top`` turns of greedy forward selection
    on dev choose from the ``pool`` best. A *cascade* takes the best of those that no other
    beats for as few tokens, cheapest first; ``threshold`` (*tuned* on dev for ``target``, or a
    number) and ``measure`` say who is unsure.
    """

    top: list[PositiveInt] = Field(default=[3, 5], min_length=1)
    of: list[str] = Field(default=[])
    diverse: list[bool] = Field(default=[False], min_length=1)
    method: list[Together] = Field(default=["majority", "mean", "learned"], min_length=1)
    pool: PositiveInt = 20
    folds: int = Field(default=5, ge=2)
    threshold: list[float | Literal["tuned"]] = Field(default=["tuned"], min_length=1)
    target: list[float | Literal["best"]] = Field(default=["best"], min_length=1)
    measure: list[Measure] = Field(default=["margin"], min_length=1)

    @field_validator("diverse", mode="before")
    @classmethod
    def _one_or_both(cls, value: Any) -> Any:
        return [value] if isinstance(value, bool) else value


class EnsembleKind(Kind):
    """Ensembles and cascades of candidates that the study has judged before.

    Dev is put together from their kept predictions: no candidate is asked again. Who is chosen is
    chosen on dev, as any winner is; weights, thresholds and selected members are cross-fitted.
    """

    name: ClassVar[str] = "ensemble"
    Settings: ClassVar[type[KindSettings]] = EnsembleSettings
    is_strategy: ClassVar[bool] = False
    reuses_predictions: ClassVar[bool] = True
    runs_after: ClassVar[tuple[str, ...]] = kinds_to_run_first(())
    settings: EnsembleSettings

    def __init__(self, settings: EnsembleSettings, task: Task) -> None:
        super().__init__(settings, task)
        self._rivals = MemberPool(settings.of, task)
        if settings.of:
            kinds = [name for name in settings.of if name != self.name]
            self.runs_after = kinds_to_run_first(kinds)  # type: ignore[misc]
        for size in settings.top:
            if size < 2:
                raise StudyError(f"top: an ensemble has at least 2 members; found {size}")
        for limit in settings.threshold:
            if limit != "tuned" and limit < 0:
                raise StudyError(f"threshold: 'tuned' or a number from 0; found {limit}")
        for target in settings.target:
            if target != "best" and not 0 < target <= 1:
                raise StudyError(f"target: 'best' or an accuracy up to 1; found {target}")
        if "stacking" in settings.method and not task.labels:
            raise DataError(f"{task.name} has open answers, and stacking needs common labels")

    def observe_trials(self, finished: Sequence[CompletedTrial]) -> None:
        """The candidates that there are, best first."""
        self._rivals.observe_trials(finished)

    def suggest(self, trial: Trial, prefix: str) -> Candidate:
        """method, top, and what the method needs beside them."""
        settings = self.settings
        method = suggest_choice(trial, f"{prefix}method", settings.method)
        top = suggest_choice(trial, f"{prefix}top", settings.top)
        found: dict[str, Any] = {"method": method, "top": top, "folds": settings.folds}
        if method == "cascade":
            found["measure"] = suggest_choice(trial, f"{prefix}measure", settings.measure)
            found["threshold"] = suggest_choice(trial, f"{prefix}threshold", settings.threshold)
            if found["threshold"] == "tuned":
                found["target"] = suggest_choice(trial, f"{prefix}target", settings.target)
            chosen = self._rivals.pareto_front(top)
            told = f"cascade of {len(chosen) or top}"
            told += f" by {found['measure']}" if len(settings.measure) > 1 else ""
            told += "" if found["threshold"] == "tuned" else f" below {found['threshold']}"
            told += f", accuracy {found['target']}" if found.get("target", "best") != "best" else ""
        else:
            found["diverse"] = suggest_choice(trial, f"{prefix}diverse", settings.diverse)
            chosen = self._rivals.best(settings.pool if found["diverse"] else top)
            told = f"{_TOLD[method]} of the best {min(top, len(chosen) or top)}"
            if found["diverse"]:
                told = f"{_TOLD[method]}, {top} turns among the best {len(chosen)}"
        found["members"] = [one.candidate.key for one in chosen]
        found["names"] = [one.candidate.name for one in chosen]
        return Candidate.of(self.name, found, f"ensemble: {told}")

    def fit(self, candidate: Candidate, model: LanguageModel) -> Predictor:
        """The ensemble; what it learns on dev is learned from the members' kept predictions."""
        settings = candidate.settings
        members, names = self._rivals.members(settings["members"], model)
        options = {"names": names, "labels": self.task.labels, "folds": settings["folds"]}
        if settings["method"] == "cascade":
            limit = settings["threshold"]
            cascade = Cascade(
                members,
                None if limit == "tuned" else limit,
                measure=settings["measure"],
                target=settings.get("target", "best"),
                **options,
            )
            return cascade.learn(self.task.dev)
        made = Ensemble(
            members,
            settings["method"],
            select=settings["top"] if settings["diverse"] else None,
            **options,
        )
        return made.learn(self.task.dev)
