"""What every schema of a saved predictor shares: exact keys, exact types, bounded numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from promptlab.files.settings import LARGEST

Whole = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Field(ge=0, le=100_000)]
"""Of demonstrations, samples, branches: of what is asked for one by one."""
Texts = list[str]
Fields = dict[str, str]


class SavedSchema(BaseModel):
    """Exactly these keys with values of exactly these types; no NaN, no infinity."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class AnySchema(BaseModel):
    """The settings of a predictor that is defined elsewhere."""

    model_config = ConfigDict(extra="allow")
