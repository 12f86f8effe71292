"""The documents themselves: ``predictor.json`` and ``learned.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from promptlab.files.saved_predictor.schemas.base import Fields, SavedSchema, Texts
from promptlab.files.settings import LARGEST


class SeenTextsSchema(SavedSchema):
    """Hashes of the texts that a predictor was fitted on and chosen by."""

    train: Texts = Field(default=[])
    dev: Texts = Field(default=[])


class ColumnsSchema(SavedSchema):
    """The columns that the fields were read from."""

    fields: Fields
    label: str | None = None
    id: str | None = None
    renamed: dict[str, str | None] = Field(default={})


class ModelSchema(BaseModel):
    """How a model was described; more is told of it than is read again."""

    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    learned: str | None = None
    weights: str | None = None
    options: dict[str, Any] = Field(default={})


class DocumentSchema(SavedSchema):
    """``predictor.json``; keys of later versions are refused by their ``format``."""

    format: int
    predictor: str
    model: ModelSchema
    settings: dict[str, Any]
    fields: Texts | None = None
    seen: SeenTextsSchema | None = None
    columns: ColumnsSchema | None = None
    files: Fields = Field(default={})
    fitting_tokens: Annotated[int, Field(ge=0)] = 0


Id = Annotated[int, Field(ge=0, le=LARGEST)]


class LoraFactsSchema(SavedSchema):
    """The settings of learned low-rank weights."""

    r: Annotated[int, Field(ge=1, le=LARGEST)]
    lora_alpha: float
    target_modules: Texts
    bias: Literal["none", "all", "lora_only"] = "none"
    fan_in_fan_out: bool = False
    peft_type: str = "LORA"


class WeightsSchema(SavedSchema):
    """Changes of the model's own weights."""

    lora: LoraFactsSchema | None


class LearnedSchema(SavedSchema):
    """``learned.json``: what was learned beside the tensors."""

    format: int
    fits: dict[str, Any]
    soft: list[tuple[str, Annotated[int, Field(ge=1, le=LARGEST)]]]
    triggers: list[list[Id]]
    facts: dict[str, Any]
    weights: WeightsSchema | None = None

    @field_validator("soft", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [tuple(pair) if isinstance(pair, list) else pair for pair in value]
        return value
