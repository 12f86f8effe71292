"""What is saved of a DSPy program."""

from __future__ import annotations

from typing import Any

from promptlab.files.saved_predictor.schemas.base import SavedSchema, Texts
from promptlab.files.saved_predictor.schemas.prompts import DecodingSchema, ExampleSchema


class TaskSignatureSchema(SavedSchema):
    """The fields, labels and parser that a program is given."""

    fields: Texts
    labels: Texts
    instructions: str | None
    parser: dict[str, Any]


class DspyProgramSchema(SavedSchema):
    """A DSPy program, how it was optimised, and its state."""

    form: TaskSignatureSchema
    program: str
    adapter: dict[str, Any]
    plan: dict[str, Any]
    decoding: DecodingSchema
    state: dict[str, Any]
    learning: dict[str, float]
    train: list[ExampleSchema]
