"""What is saved of a tree of thoughts."""

from __future__ import annotations

from typing import Any

from promptlab.files.saved_predictor.schemas.base import Count, SavedSchema, Whole
from promptlab.files.saved_predictor.schemas.prompts import (
    DecodingSchema,
    TemplateSchema,
    VerbalizerSchema,
)


class ThoughtGeneratorSchema(SavedSchema):
    """How next thoughts are proposed."""

    template: TemplateSchema | None
    method: str
    count: Count
    decoding: DecodingSchema


class StateEvaluatorSchema(SavedSchema):
    """How partial solutions are rated."""

    template: TemplateSchema | None
    method: str
    worths: dict[str, float]
    verbalizer: VerbalizerSchema
    samples: Count
    decoding: DecodingSchema
    seed: Whole


class TreeSearchSchema(SavedSchema):
    """How the tree is searched, and its budget."""

    method: str
    depth: Count
    beam: Count
    threshold: float | None
    budget: dict[str, Whole | None]


class TreeOfThoughtsSchema(SavedSchema):
    """A search over thoughts, and how its end is read as an answer."""

    thoughts: ThoughtGeneratorSchema
    judgement: StateEvaluatorSchema
    search: TreeSearchSchema
    problem: str | None
    answer: TemplateSchema | None
    parser: dict[str, Any] | None
    decoding: DecodingSchema
