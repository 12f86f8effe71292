"""Kind *self_consistency*: several sampled solutions of an inner candidate vote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from promptlab.candidates.base import KindSettings, Trial
from promptlab.candidates.dimensions import suggest_choice
from promptlab.candidates.wrapper import WrappingKind, WrappingSettings
from promptlab.data.task import Task
from promptlab.errors import StudyError
from promptlab.models.base import LanguageModel
from promptlab.predictors.retrieval import check_embeds
from promptlab.predictors.strategy import Strategy
from promptlab.predictors.wrapper import WrappingStrategy
from promptlab.strategies.self_consistency.stopping import StoppingRule
from promptlab.strategies.self_consistency.strategy import SelfConsistency
from promptlab.strategies.self_consistency.voting import VoteRule


class SelfConsistencySettings(WrappingSettings):
    """``adaptive`` applies to majority votes, ``similarity`` to semantic ones."""

    samples: list[int] = Field(default=[5], min_length=1)
    vote: list[VoteRule] = Field(default=["majority"], min_length=1)
    adaptive: list[StoppingRule] = Field(default=["none"], min_length=1)
    threshold: float = 0.95
    wave: int | None = Field(default=None, ge=1)
    similarity: list[float] = Field(default=[0.7], min_length=1)


class SelfConsistencyKind(WrappingKind):
    """Self-consistency (Wang et al. 2022) around any kind whose text is sampled."""

    name: ClassVar[str] = "self_consistency"
    Settings: ClassVar[type[KindSettings]] = SelfConsistencySettings
    settings: SelfConsistencySettings

    def __init__(self, settings: SelfConsistencySettings, task: Task) -> None:
        super().__init__(settings, task)
        for samples in settings.samples:
            if samples < 1:
                raise StudyError(f"samples is {samples}; at least one solution is drawn")
        found = list(temperatures(settings.inner))
        if found and not any(found) and max(settings.samples) > 1:
            raise StudyError(
                "the solutions that vote are sampled, and the decoding of the inner group "
                f"({settings.inner.kind}) has temperature 0, so all would be alike; give it "
                "decoding: {temperature: 0.7}, or another one above 0"
            )

    def check(self, model: LanguageModel) -> None:
        """The model writes, and gives vectors for semantic votes."""
        model.require("generate")
        if "semantic" in self.settings.vote:
            check_embeds(model)
        super().check(model)

    def own_dimensions(self, trial: Trial, prefix: str, labels: list[str]) -> dict[str, Any]:
        """samples, vote, and early stopping or the likeness of answers."""
        own = self.settings
        samples = suggest_choice(trial, f"{prefix}samples", own.samples)
        vote = suggest_choice(trial, f"{prefix}vote", own.vote)
        labels.append(f"self-consistency of {samples}")
        labels.extend([vote] if vote != "majority" else [])
        found = {"samples": samples, "vote": vote, "adaptive": "none"}
        if vote == "majority":
            found["adaptive"] = suggest_choice(trial, f"{prefix}adaptive", own.adaptive)
            adaptive = found["adaptive"] != "none"
            labels.extend([f"adaptive ({found['adaptive']})"] if adaptive else [])
            found |= {"threshold": own.threshold, "wave": own.wave} if adaptive else {}
        if vote == "semantic":
            found["similarity"] = suggest_choice(trial, f"{prefix}similarity", own.similarity)
        return found

    def wrap(
        self, inner: Strategy, settings: Mapping[str, Any], model: LanguageModel
    ) -> WrappingStrategy:
        """Votes over the inner strategy's solutions."""
        return SelfConsistency(inner, **{k: v for k, v in settings.items() if k != "inner"})


def temperatures(settings: BaseModel) -> Iterator[float]:
    """Every temperature that a group's settings give, its inner groups' and steps' too."""
    given = getattr(settings, "temperature", None)
    if isinstance(given, list):
        yield from given
    elif isinstance(given, float):
        yield given
    elif isinstance(decoding := getattr(settings, "decoding", None), BaseModel):
        yield from temperatures(decoding)
    steps = getattr(settings, "steps", None)
    parts = [getattr(settings, "inner", None), *(steps if isinstance(steps, list) else [])]
    for part in parts:
        if isinstance(part, BaseModel):
            yield from temperatures(part)
