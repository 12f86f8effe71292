"""What is saved of ensembles and cascades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from promptlab.files.saved_predictor.schemas.base import Count, SavedSchema, Texts, Whole
from promptlab.files.saved_predictor.schemas.prompts import InnerPredictorSchema


class MembersSchema(SavedSchema):
    """What ensembles and cascades share: their members and the folds these were fitted on."""

    members: Annotated[list[InnerPredictorSchema], Field(min_length=1)]
    names: Texts
    labels: Texts
    smoothing: float
    seed: Whole
    most_folds: Count
    folds: dict[str, Count]


class VoteRuleSchema(SavedSchema):
    """The weights of the members and the bias of each label."""

    weights: list[float]
    bias: list[float]


class EnsembleSchema(MembersSchema):
    """Members whose votes are weighed."""

    method: str
    given: list[float]
    select: Count | None
    rule: VoteRuleSchema | None
    without: list[VoteRuleSchema]

    @model_validator(mode="after")
    def _one_weight_a_member(self) -> EnsembleSchema:
        for rule in (*([self.rule] if self.rule else []), *self.without):
            if len(rule.weights) != len(self.members):
                raise ValueError(
                    f"a rule has {len(rule.weights)} weights for {len(self.members)} members"
                )
            if len(rule.bias) not in (0, len(self.labels)):
                raise ValueError(
                    f"a rule has {len(rule.bias)} biases for {len(self.labels)} labels"
                )
        _check_folds(self.folds, len(self.without))
        return self


class CascadeSchema(MembersSchema):
    """Members that are asked in turn until one is sure enough."""

    measure: str
    target: float | Literal["best"]
    given: float | list[float] | None
    thresholds: list[Annotated[float, Field(ge=0)]] | None
    without: list[list[Annotated[float, Field(ge=0)]]]

    @model_validator(mode="after")
    def _one_threshold_a_step(self) -> CascadeSchema:
        for limits in (*([self.thresholds] if self.thresholds is not None else []), *self.without):
            if len(limits) != len(self.members) - 1:
                raise ValueError(
                    f"there are {len(limits)} thresholds for {len(self.members)} members"
                )
        _check_folds(self.folds, len(self.without))
        return self


def _check_folds(folds: Mapping[str, int], learned: int) -> None:
    beyond = max(folds.values(), default=-1) + 1
    if learned and beyond > learned:
        raise ValueError(f"there are {beyond} folds and what was learned without {learned}")
