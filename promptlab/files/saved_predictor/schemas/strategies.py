"""What is saved of strategies that reason, vote or look something up."""

from __future__ import annotations

from typing import Literal

from promptlab.files.saved_predictor.schemas.base import Count, SavedSchema, Texts, Whole
from promptlab.files.saved_predictor.schemas.prompts import (
    AnsweringSchema,
    DecodingSchema,
    DemonstrationSchema,
    InnerPredictorSchema,
    TemplateSchema,
    VerbalizerSchema,
    WorkedExampleSchema,
)


class StepSchema(SavedSchema):
    """One step of a chain of prompts."""

    name: str
    template: TemplateSchema
    answering: AnsweringSchema
    map: str | None
    item: str


class ChainSchema(SavedSchema):
    """Prompts that build on one another."""

    steps: list[StepSchema]


class AutomaticDemonstrationsSchema(SavedSchema):
    """How demonstrations with reasoning are made from questions alone."""

    by: str = "tfidf"
    question_tokens: Whole = 60
    steps: Whole = 5
    right_only: bool = True
    tries: Count = 8


class ChainOfThoughtSchema(SavedSchema):
    """A prompt that reasons before it answers."""

    template: TemplateSchema
    answering: AnsweringSchema
    mode: str
    trigger: str | None
    extraction: str | None
    extract: str
    demonstrations: list[WorkedExampleSchema] | None
    reasoning_field: str | None
    count: Count
    seed: Whole
    automatic: AutomaticDemonstrationsSchema
    decoding: DecodingSchema


class SelfConsistencySchema(SavedSchema):
    """A vote over sampled answers."""

    inner: InnerPredictorSchema
    samples: Count
    vote: str
    adaptive: str
    threshold: float
    wave: Count | None
    similarity: float
    answers: Texts | None


class WriterSchema(SavedSchema):
    """The prompt that writes knowledge."""

    template: TemplateSchema
    decoding: DecodingSchema
    demonstrations: list[DemonstrationSchema]


class GeneratedKnowledgeSchema(SavedSchema):
    """A prompt answered with knowledge that the model writes first."""

    inner: InnerPredictorSchema
    writer: WriterSchema
    count: Count
    choose: str
    bare: bool
    field: str


class PassageIndexSchema(SavedSchema):
    """The passages that are searched."""

    passages: Texts
    k: Count
    method: str
    owners: Texts | None


class RetrievalSchema(SavedSchema):
    """A prompt answered with passages that were found."""

    inner: InnerPredictorSchema
    k: Count
    method: str
    field: str
    query: Texts
    shelf: PassageIndexSchema | None


class SpanDecompositionSchema(SavedSchema):
    """Spans of a text, each asked about by itself."""

    template: TemplateSchema
    verbalizer: VerbalizerSchema
    text: str | None
    outside: str | None
    longest: Count
    keep: str
    selection: str
    calibration: str
    bias: float | Literal["tuned"]
    demonstrations: Count
    seed: Whole
    tuned: float | None = None
    shown: list[DemonstrationSchema] | None = None
