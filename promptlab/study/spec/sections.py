"""What every kind of study file has: its task, its model, and who it is."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from promptlab.data.readers import text_of
from promptlab.errors import StudyError
from promptlab.files.settings import Seconds, Seed, Settings
from promptlab.models.base import LanguageModel
from promptlab.models.remote.endpoint import is_remote
from promptlab.models.remote.options import TRANSPORT, RemoteOptions
from promptlab.study.folder.named_files import without_folders
from promptlab.study.spec.document import StudyDocument

_LONGEST_NAME = 200
"""Characters of a study's name: a folder's has 255 bytes, and endings are put behind it."""
Size = int | float | None
_LOCAL = ("name", "device", "dtype", "revision", "family", "deterministic")
"""What every model's section is written with."""


_NEWER = ("id", "join", "empty", "min_rows", "overlap", "delimiter", "header", "encoding", "quotes",
          "records")  # fmt: skip
"""Keys of a task's section that studies have not always had."""


def _text(value: Any) -> Any:
    """A number or truth value as the text that stands for it in a data file."""
    return text_of(value) if isinstance(value, bool | int | float) else value


class Section(Settings):
    """A part of a study file; unknown keys are refused."""


class BudgetSection(Section):
    """When the search ends: after so many trials, seconds of search, or dollars for endpoints.

    The dollars are those of all runs together, writers of prompts among them.
    """

    trials: int = Field(default=50, ge=1)
    seconds: Seconds | None = None
    dollars: float | None = Field(default=None, gt=0)

    @model_serializer(mode="wrap")
    def _without_dollars(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Dollars that are not limited are not written, so that older studies stay the same."""
        values: dict[str, Any] = plain(self)
        return {k: v for k, v in values.items() if k != "dollars" or v is not None}

    def covers(self, other: BudgetSection) -> bool:
        """Whether it is at least as large as ``other``."""
        limits = ((self.seconds, other.seconds), (self.dollars, other.dollars))
        return self.trials >= other.trials and all(
            mine is None or (its is not None and mine >= its) for mine, its in limits
        )


class TaskSection(Section):
    """Which data, and how it is divided; the options are those of ``load_task``."""

    data: str
    seed: Seed = 13
    k: int | None = Field(default=None, ge=1)
    train: Size = None
    dev: Size = None
    test: Size = None
    text: str | None = None
    label: str | None = None
    fields: list[str] | None = None
    rename: dict[str, str] | None = None
    id: str | None = None
    labels: list[str] | dict[str, str | None] | None = None
    join: str | None = None
    empty: Literal["refuse", "drop"] = "refuse"
    min_rows: int = Field(default=1, ge=1)
    overlap: Literal["refuse", "drop"] = "drop"
    delimiter: str | None = None
    header: bool | None = None
    encoding: str | None = None
    quotes: bool = True
    records: str | None = None
    metric: str | None = None
    max_chars: int = Field(default=100_000, ge=1)

    @field_validator("text", "label", "id", mode="before")
    @classmethod
    def _numbers_name_columns(cls, value: Any) -> Any:
        return _text(value)

    @field_validator("labels", "fields", mode="before")
    @classmethod
    def _labels_are_text(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [_text(item) for item in value]
        if isinstance(value, dict):
            return {_text(raw): _text(name) for raw, name in value.items()}
        return value

    @model_serializer(mode="wrap")
    def _without_defaults(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is as it is by default is not written, so that older studies stay the same."""
        values: dict[str, Any] = plain(self)
        return {
            name: value
            for name, value in values.items()
            if name not in _NEWER or value != type(self).model_fields[name].default
        }


class ModelSection(RemoteOptions, Section):
    """Which model, where and in which number format.

    ``thinking`` lets a local model whose chat template knows reasoning reason before it writes.
    ``endpoint`` is the URL of a remote model; `RemoteOptions` are for those alone.
    """

    name: str = "smollm2-135m"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = None
    family: Literal["masked", "causal", "seq2seq"] | None = None
    deterministic: bool = False
    thinking: bool = False
    endpoint: str | None = None

    @model_validator(mode="after")
    def _an_endpoint_for_its_options(self) -> Self:
        given = sorted(self.model_fields_set & set(RemoteOptions.model_fields) - {"cache"})
        if given and not is_remote(self.name, self.endpoint):
            raise ValueError(
                f"{', '.join(given)}: only remote models have this; give the section an endpoint "
                "(its URL), or name the model remote:MODEL@URL"
            )
        if self.thinking and is_remote(self.name, self.endpoint):
            raise ValueError(
                "thinking: only local models have this; what an endpoint is told goes into extra, "
                "such as extra: {reasoning_effort: low}"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_unused(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A local model's section is written without what it does not have."""
        values: dict[str, Any] = plain(self)
        used = [n for n in self.model_fields_set if n in values and n not in _LOCAL]
        used = [n for n in used if n != "thinking" or self.thinking]
        return {name: values[name] for name in (*_LOCAL, *sorted(used)) if name in values}

    def with_recorded(self, recorded: Mapping[str, Any]) -> ModelSection:
        """This section with the format and the kind of device that a study has begun with.

        What the section names itself stays; a device that is not here is not taken.
        """
        if is_remote(self.name, self.endpoint):
            return self
        from promptlab.models.precision import DTYPES, is_device_available

        device, dtype = (str(recorded.get(key)) for key in ("device", "dtype"))
        changes: dict[str, Any] = {}
        if self.device == "auto" and device != "None":
            if not is_device_available(kind := device.partition(":")[0]):
                return self
            changes["device"] = kind
        if self.dtype == "auto" and dtype in DTYPES:
            changes["dtype"] = dtype
        return self.model_copy(update=changes)

    def load(self) -> LanguageModel:
        """The model, from the pool. Raises `InputError` or `AssetError`."""
        from promptlab.models.pool import load_model

        return load_model(**self.model_dump(exclude_none=True))


class StudyFile(Section):
    """What studies of every kind have in common.

    ``models`` says how further endpoints are asked and what they cost, by the name that a
    candidate's ``writer`` or ``prompt_model`` has. ``resolved`` is what a run has written about
    itself into its folder's ``study.yaml``; it decides nothing.
    """

    study: str
    description: str = ""
    task: TaskSection
    model: ModelSection = ModelSection()
    models: dict[str, RemoteOptions] = Field(default={})
    block: int = Field(default=50, ge=1)
    seed: Seed = 13
    resolved: dict[str, Any] | None = Field(default=None, exclude=True)
    _document: StudyDocument = PrivateAttr(default=StudyDocument({}))

    @field_validator("study")
    @classmethod
    def _a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
            raise ValueError("a study's name has letters, digits, '.', '_' and '-' alone")
        if len(value) > _LONGEST_NAME:
            raise ValueError(f"a study's name has at most {_LONGEST_NAME} characters")
        return value

    @field_validator("models")
    @classmethod
    def _endpoints(cls, value: dict[str, RemoteOptions]) -> dict[str, RemoteOptions]:
        if local := [name for name in value if not is_remote(name, None)]:
            raise ValueError(
                f"{local[0]!r} is no endpoint; these are options of models that are named "
                "remote:MODEL@URL"
            )
        return value

    @field_validator("task", "model", mode="before")
    @classmethod
    def _short_form(cls, value: Any, info: Any) -> Any:
        """``task: sst2`` and ``model: smollm2-135m`` stand for the names alone."""
        if isinstance(value, str):
            return {"data" if info.field_name == "task" else "name": value}
        return value

    def set_document(self, document: StudyDocument) -> None:
        """Remember the file, and the line of every value, for messages."""
        self._document = document

    def error(self, path: Sequence[str | int], text: str) -> StudyError:
        """An error about the value at ``path``: file, line and key stand before the text."""
        return StudyError.from_issues([self._document.issue(path, text)])

    def line(self, *path: str | int) -> int | None:
        """The line of a value in its file, or of the nearest value around it."""
        return self._document.location(path).line

    def document(self) -> dict[str, Any]:
        """The study as plain data: as a file, the same study again."""
        values = self.model_dump(mode="json")
        del values["models"]  # older studies have none
        return values | ({"models": self.model_options} if self.models else {})

    @property
    def model_options(self) -> dict[str, dict[str, Any]]:
        """The options of further models that the file gives, by their names."""
        return {
            name: options.model_dump(mode="json", exclude_unset=True)
            for name, options in self.models.items()
        }

    @property
    def fingerprint(self) -> str:
        """Content hash of all that decides the study's outcome.

        Its description does not, nor where its files lie.
        """
        return self.fingerprint_of(self.document())

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Every fingerprint by which a folder may know this study."""
        return (self.fingerprint, document_hash(self.document(), "description"))

    def fingerprint_of(self, document: Mapping[str, Any]) -> str:
        """The `fingerprint` of a study of this kind that is written down as ``document``."""
        return document_hash(without_folders(document), "description")


def document_hash(document: Mapping[str, Any], *without: str) -> str:
    """Content hash of a study's document without some of its keys."""
    values = {key: value for key, value in document.items() if key not in (*without, "resolved")}
    # How replies are fetched and paid decides nothing, so that it may change on the way.
    values["model"] = {k: v for k, v in values["model"].items() if k not in TRANSPORT}
    more = {
        name: {k: v for k, v in options.items() if k not in TRANSPORT}
        for name, options in values.pop("models", {}).items()
    }
    if asked := {name: options for name, options in more.items() if options}:
        values["models"] = asked
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


class BudgetedStudy(StudyFile):
    """A study that ends by a budget, which may grow while it goes on."""

    budget: BudgetSection = BudgetSection()

    def with_budget(self, budget: Mapping[str, Any]) -> Self:
        """The same study with another budget."""
        return self.model_copy(update={"budget": BudgetSection(**budget)})
