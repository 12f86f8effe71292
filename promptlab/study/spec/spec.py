"""The study file: strictly validated, every complaint with file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from promptlab.candidates.base import KindSettings, find_kind
from promptlab.errors import InputError, StudyError
from promptlab.files.text_file import is_file, is_folder, read_text_file
from promptlab.study.folder.named_files import find_again, resolve_beside, without_folders
from promptlab.study.spec.curve_spec import LEARNING_CURVE, CurveSpec, Method
from promptlab.study.spec.sections import Budgeted, Section, StudyFile, document_hash
from promptlab.study.spec.validation import CHANGED, MOST, at, complaints, shortened
from promptlab.study.spec.yaml_positions import parse_yaml

Sampler = Literal["auto", "exhaustive", "tpe", "random", "gp", "nsga2"]
Pruner = Literal["none", "median", "wilcoxon", "halving", "hyperband"]
MOST_BYTES = 4_000_000
"""Of a study file, which has a million characters at most."""
SEARCH = "search"
"""The kind of a study that searches; a study file that names no kind is one."""
_Lines = Mapping[tuple[str | int, ...], int]
_Spec = TypeVar("_Spec", bound=StudyFile)


class DecisionSection(Section):
    """When a study decides, and what it calls equal; changing it decides anew, and asks nothing.

    ``missing`` is the share of examples that may be without an answer. A prompt is *equivalent*
    to the best when the 95 % interval of their difference lies within ± ``margin``, and *cheaper*
    when it saves at least the share ``cheaper`` of the tokens.
    """

    missing: float = Field(default=0.05, ge=0, le=1)
    margin: float = Field(default=0.03, gt=0)
    cheaper: float = Field(default=0.2, ge=0, le=1)


class StudySpec(Budgeted):
    """A search. ``block`` examples are scored between two looks at the pruner.

    Without ``objectives`` the task's own metric decides. ``baseline`` names the group (its kind,
    such as *template*) whose best candidate the winner is compared with on test. ``regression``
    is a file of earlier failures (`promptlab failures export --format suite`) on which winner and
    baseline are run after the decision.
    """

    kind: Literal["search"] = Field(default="search", exclude=True)
    candidates: list[KindSettings] = Field(min_length=1)
    objectives: list[str] = Field(default=[])
    sampler: Sampler = "auto"
    pruner: Pruner = "none"
    decision: DecisionSection = DecisionSection()
    batch: int = Field(default=8, ge=1)
    baseline: str | None = None
    regression: str | None = None

    def document(self) -> dict[str, Any]:
        """The spec as plain data, kinds' settings included."""
        values = super().document()
        for key in ("baseline", "regression"):
            if values[key] is None:
                values.pop(key)
        if self.decision == DecisionSection():
            values.pop("decision")
        values["candidates"] = [group.model_dump(mode="json") for group in self.candidates]
        return values

    @property
    def fingerprint(self) -> str:
        """Content hash of all that decides which trials there are and what they come to."""
        return self.fingerprint_of(self.document())

    def fingerprint_of(self, document: Mapping[str, Any]) -> str:
        """As of every study; how long is searched and how it is decided may change on the way."""
        return document_hash(without_folders(document), "description", "budget", "decision")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint, and those that earlier versions gave a study of this budget."""
        earlier = (("description", "budget", "decision"), ("description", "decision"))
        document = self.document()
        return (self.fingerprint, *(document_hash(document, *without) for without in earlier))


def shipped_studies() -> dict[str, Path]:
    """Study files that come with promptlab, by name."""
    folder = Path(str(files("promptlab.studies")))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_study_file(study: str) -> Path:
    """The file of a path or of a shipped study's name."""
    path = Path(study)
    if is_file(path):
        return path
    if is_folder(path):
        raise StudyError(f"{study} is a folder; name the study file in it, such as study.yaml")
    shipped = shipped_studies()
    if study in shipped:
        return shipped[study]
    close = difflib.get_close_matches(study[:80], shipped, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise StudyError(
        f"there is no study file {study!r:.200} and no shipped study of that name; {hint}shipped "
        f"are {', '.join(shipped)}"
    )


def read_spec(path: Path, changes: dict[str, Any] | None = None) -> StudySpec | CurveSpec:
    """Read and validate a study file; ``changes`` (dotted keys) replace values in it.

    A relative data path is looked for beside the study file first. Raises `StudyError`.
    """
    text = read_text_file(path, "a study file is YAML, saved as UTF-8", most=MOST_BYTES)
    document, lines = read_document(text, str(path))
    for key, value in (changes or {}).items():
        _put(document, key.split("."), value)
        lines[tuple(key.split("."))] = CHANGED
    find_again(document, path.parent)
    resolve_beside(document, path.parent)
    return build_spec(document, str(path), lines)


def read_document(
    text: str, source: str
) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    """A study file's mapping, not validated yet, and the line of every value by its path.

    Raises `StudyError`.
    """
    document, lines = parse_yaml(text, source)
    if not isinstance(document, dict):
        found = "nothing" if document is None else f"{document!r:.40}"
        raise StudyError(
            f"{source}: a study file is a mapping with the keys study, task and candidates, found "
            f"{found}"
        )
    return document, lines


def build_spec(
    document: dict[str, Any], source: str, lines: dict[tuple[str | int, ...], int] | None = None
) -> StudySpec | CurveSpec:
    """Validate a document; its ``kind`` says what it must hold.

    Raises `StudyError` with the line of each complaint.
    """
    lines = lines or {}
    for key in document:
        if not isinstance(key, str):
            raise StudyError(f"{source}: the key {key!r} is no word; quote it or remove it")
    document = dict(document)
    kind = document.get("kind", SEARCH)
    if kind == LEARNING_CURVE:
        return _curve(document, source, lines)
    if kind != SEARCH:
        raise StudyError(
            f"{at(source, lines, ('kind',))}: kind: a study is a {SEARCH!r} (the default) or a "
            f"{LEARNING_CURVE!r} (found {kind!r:.60})"
        )
    groups = document.get("candidates")
    if isinstance(groups, list):
        document["candidates"], wrong = _groups(groups, source, lines)
        if wrong:
            document["candidates"] = document["candidates"] or [KindSettings(kind="none")]
            try:
                _validated(StudySpec, document, source, lines)
            except StudyError as error:
                wrong.insert(0, str(error))
            raise StudyError("\n".join(wrong))
    return _validated(StudySpec, document, source, lines)


def _groups(entries: list[Any], source: str, lines: _Lines) -> tuple[list[KindSettings], list[str]]:
    """The groups that can be read, and the complaints about the others."""
    made: list[KindSettings] = []
    wrong: list[str] = []
    number = 0
    for index, entry in enumerate(entries):
        try:
            made.append(_group(entry, ("candidates", index), source, lines))
        except StudyError as error:
            told = str(error).splitlines()
            number += len(told)
            wrong += told if len(wrong) < MOST else []
    return made, shortened(wrong, number)


def _curve(document: dict[str, Any], source: str, lines: _Lines) -> CurveSpec:
    entries = document.get("methods")
    if isinstance(entries, list):
        methods: dict[str, Method] = {}
        for index, entry in enumerate(entries):
            place = ("methods", index)
            given = dict(entry) if isinstance(entry, dict) else entry
            name = given.pop("name", given.get("kind")) if isinstance(given, dict) else None
            settings = _group(given, place, source, lines)
            where = f"{at(source, lines, (*place, 'name'))}: methods.{index}.name"
            if not isinstance(name, str) or not name.strip():
                raise StudyError(f"{where}: must be text (found {name!r:.60})")
            if name in methods:
                raise StudyError(
                    f"{where}: two methods are called {name!r}; give each a name of its own"
                )
            methods[name] = Method(name=name, settings=settings)
        document["methods"] = list(methods.values())
    return _validated(CurveSpec, document, source, lines)


def _validated(model: type[_Spec], document: dict[str, Any], source: str, lines: _Lines) -> _Spec:
    try:
        spec = model(**document)
    except ValidationError as error:
        raise StudyError(complaints(error, model, document, source, lines, ())) from error
    spec.stands_in(source, lines)
    return spec


def _group(entry: Any, place: tuple[str, int], source: str, lines: _Lines) -> KindSettings:
    if not isinstance(entry, dict) or "kind" not in entry:
        what = "a group of candidates" if place[0] == "candidates" else "a method"
        raise StudyError(f"{at(source, lines, place)}: {what} is a mapping with the key 'kind'")
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
