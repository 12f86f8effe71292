"""What every kind of study file has: its task, its model, and who it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from promptlab.study.complaints import at

Size = int | float | None


class Section(BaseModel):
    """A part of a study file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskSection(Section):
    """Which data, and how it is divided; the options are those of ``load_task``."""

    data: str
    seed: int = 13
    k: int | None = Field(default=None, ge=1)
    train: Size = None
    dev: Size = None
    test: Size = None
    text: str | None = None
    label: str | None = None
    fields: list[str] | None = None
    rename: dict[str, str] | None = None
    labels: list[str] | None = None
    metric: str | None = None
    max_chars: int = Field(default=100_000, ge=1)

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_are_text(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [str(item) if isinstance(item, int) else item for item in value]
        return value


class ModelSection(Section):
    """Which model, where and in which number format."""

    name: str = "smollm2-135m"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = None
    family: Literal["masked", "causal", "seq2seq"] | None = None
    deterministic: bool = False


class StudyFile(Section):
    """What studies of every kind have in common.

    ``resolved`` is what a run has written about itself into its folder's ``study.yaml``; it
    decides nothing.
    """

    study: str
    description: str = ""
    task: TaskSection
    model: ModelSection = ModelSection()
    block: int = Field(default=50, ge=1)
    seed: int = 13
    resolved: dict[str, Any] | None = Field(default=None, exclude=True)
    _source: str = PrivateAttr("")
    _lines: Mapping[tuple[str | int, ...], int] = PrivateAttr(default_factory=dict)

    @field_validator("study")
    @classmethod
    def _a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise ValueError("a study's name has letters, digits, '.', '_' and '-' alone")
        return value

    @field_validator("task", "model", mode="before")
    @classmethod
    def _short_form(cls, value: Any, info: Any) -> Any:
        """``task: sst2`` and ``model: smollm2-135m`` stand for the names alone."""
        if isinstance(value, str):
            return {"data" if info.field_name == "task" else "name": value}
        return value

    def stands_in(self, source: str, lines: Mapping[tuple[str | int, ...], int]) -> None:
        """Remember the file, and the line of every value, for messages."""
        self._source, self._lines = source, lines

    def place(self, *path: str | int) -> str:
        """File, line and key of a value, as messages begin: ``"x.yaml, line 7: sizes.2"``."""
        file = f"{at(self._source, self._lines, path)}: " if self._source else ""
        return file + ".".join(map(str, path))

    def document(self) -> dict[str, Any]:
        """The study as plain data: as a file, the same study again."""
        return self.model_dump(mode="json")

    @property
    def fingerprint(self) -> str:
        """Content hash of all that decides the study's outcome (its description does not)."""
        values = self.document()
        values.pop("description")
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
