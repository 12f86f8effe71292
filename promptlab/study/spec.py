"""The study file: strictly validated, every complaint with file, line and key."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from promptlab.errors import InputError, StudyError
from promptlab.kinds.kind import KindSettings, find_kind
from promptlab.study.complaints import CHANGED, at, complaints
from promptlab.study.places import parse_yaml

Sampler = Literal["auto", "exhaustive", "tpe", "random", "gp", "nsga2"]
Pruner = Literal["none", "median", "wilcoxon", "halving", "hyperband"]
Size = int | float | None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskSection(_Section):
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


class ModelSection(_Section):
    """Which model, where and in which number format."""

    name: str = "smollm2-135m"
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    revision: str | None = None
    family: Literal["masked", "causal", "seq2seq"] | None = None
    deterministic: bool = False


class BudgetSection(_Section):
    """When the search ends: after so many trials, or so many seconds of search."""

    trials: int = Field(default=50, ge=1)
    seconds: float | None = Field(default=None, gt=0)


class StudySpec(_Section):
    """A whole study. ``block`` examples are scored between two looks at the pruner.

    Without ``objectives`` the task's own metric decides. ``resolved`` is what a run has written
    about itself into its folder's ``study.yaml``; it decides nothing.
    """

    study: str
    description: str = ""
    task: TaskSection
    model: ModelSection = ModelSection()
    candidates: list[KindSettings] = Field(min_length=1)
    objectives: list[str] = []
    sampler: Sampler = "auto"
    pruner: Pruner = "none"
    budget: BudgetSection = BudgetSection()
    batch: int = Field(default=4, ge=1)
    block: int = Field(default=50, ge=1)
    seed: int = 13
    resolved: dict[str, Any] | None = Field(default=None, exclude=True)

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

    def document(self) -> dict[str, Any]:
        """The spec as plain data, kinds' settings included."""
        values = self.model_dump(mode="json")
        values["candidates"] = [group.model_dump(mode="json") for group in self.candidates]
        return values

    @property
    def fingerprint(self) -> str:
        """Content hash of all that decides the study's outcome (its description does not)."""
        values = self.document()
        values.pop("description")
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def shipped_studies() -> dict[str, Path]:
    """Study files that come with promptlab, by name."""
    folder = Path(str(files("promptlab.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_study_file(study: str) -> Path:
    """The file of a path or of a shipped study's name."""
    path = Path(study)
    if path.is_file():
        return path
    if path.is_dir():
        raise StudyError(f"{study} is a folder; name the study file in it, such as study.yaml")
    shipped = shipped_studies()
    if study in shipped:
        return shipped[study]
    close = difflib.get_close_matches(study, shipped, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise StudyError(
        f"there is no study file {study!r} and no shipped study of that name; {hint}shipped are "
        f"{', '.join(shipped)}"
    )


def read_spec(path: Path, changes: dict[str, Any] | None = None) -> StudySpec:
    """Read and validate a study file; ``changes`` (dotted keys) replace values in it.

    A relative data path is looked for beside the study file first. Raises `StudyError`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise StudyError(
            f"{path}, line {line}: holds bytes that are no UTF-8 text; a study file is YAML, "
            "saved as UTF-8"
        ) from error
    document, lines = parse_yaml(text, str(path))
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"{document!r:.40}"
        raise StudyError(
            f"{path}: a study file is a mapping with the keys study, task and candidates, found "
            f"{found}"
        )
    for key, value in (changes or {}).items():
        _put(document, key.split("."), value)
        lines[tuple(key.split("."))] = CHANGED
    _resolve_data(document, path.parent)
    return build_spec(document, str(path), lines)


def build_spec(
    document: dict[str, Any], source: str, lines: dict[tuple[str | int, ...], int] | None = None
) -> StudySpec:
    """Validate a document. Raises `StudyError` with the line of each complaint."""
    lines = lines or {}
    for key in document:
        if not isinstance(key, str):
            raise StudyError(f"{source}: the key {key!r} is no word; quote it or remove it")
    document = dict(document)
    groups = document.get("candidates")
    if isinstance(groups, list):
        document["candidates"] = [
            _group(entry, index, source, lines) for index, entry in enumerate(groups)
        ]
    try:
        return StudySpec(**document)
    except ValidationError as error:
        raise StudyError(complaints(error, StudySpec, document, source, lines, ())) from error


def _group(entry: Any, index: int, source: str, lines: Any) -> KindSettings:
    place = ("candidates", index)
    if not isinstance(entry, dict) or "kind" not in entry:
        raise StudyError(
            f"{at(source, lines, place)}: a group of candidates is a mapping with the key 'kind'"
        )
    try:
        settings = find_kind(str(entry["kind"])).Settings
    except InputError as error:
        raise StudyError(f"{at(source, lines, (*place, 'kind'))}: {error}") from error
    try:
        made = settings.model_validate(entry)
    except ValidationError as error:
        raise StudyError(complaints(error, settings, entry, source, lines, place)) from error
    made.stands_at(at(source, lines, place))
    return made


def _put(document: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = document.get(key)
        if isinstance(inner, str):  # the short form
            inner = {"data" if key == "task" else "name": inner}
        document[key] = dict(inner) if isinstance(inner, dict) else {}
        document = document[key]
    document[keys[-1]] = value


def _resolve_data(document: dict[str, Any], folder: Path) -> None:
    """A data path that stands relative to the study file becomes absolute."""
    task = document.get("task")
    data = task.get("data") if isinstance(task, dict) else task
    if isinstance(data, str) and not Path(data).is_absolute() and (folder / data).exists():
        _put(document, ["task", "data"], str((folder / data).resolve()))
