"""What sensitivity is measured of: a decided study, a study file, a data file or a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from promptlab.data.builtin import DATASETS
from promptlab.data.labelled_file import LabelledFileKeywords
from promptlab.data.load_task import load_task
from promptlab.data.readers import is_data_file
from promptlab.data.task import Task
from promptlab.errors import DataError, StudyError
from promptlab.events import Events
from promptlab.files.text_file import is_file, is_folder, is_there
from promptlab.library.sources import load_library
from promptlab.models.base import LanguageModel
from promptlab.models.pool import load_model
from promptlab.study.folder.documents import use_document
from promptlab.study.folder.folder import StudyFolder, read_leaderboard
from promptlab.study.folder.pinned_model import load_study_model
from promptlab.study.sensitivity.alternatives import (
    FITTED_KINDS,
    PromptAlternatives,
    alternatives_of_groups,
    alternatives_of_library,
    alternatives_of_study,
)
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.load import load_spec, shipped_studies
from promptlab.study.spec.spec import StudySpec
from promptlab.study.study import Study

DEFAULT_MODEL = "smollm2-135m"

_ANY_ENDPOINT = "remote:model@http://localhost"
"""Stands for an endpoint for which prompts and parsers are proposed; nothing asks it."""

Subject = str | Path | Mapping[str, Any] | StudySpec | Study | Task


@dataclass(frozen=True)
class SensitivitySubject:
    """The examples, the model, and where the prompts come from; test is left out from the start."""

    name: str
    task: Task
    load_model: Callable[[Events], LanguageModel]
    find_alternatives: Callable[[LanguageModel], PromptAlternatives]


def open_subject(
    subject: Subject,
    library_task: str | None = None,
    reading: LabelledFileKeywords | None = None,
) -> SensitivitySubject:
    """Find what ``subject`` names, and read its task.

    A string is a study's folder, a study file, a shipped study's name, a data file, or the name of
    a data set, whichever there is first. With ``library_task`` the templates of that task of the
    library are taken, whatever else there would be. ``reading`` are the columns of a data file and
    how it is written.

    Raises:
        StudyError: There is no such study, or it is not decided.
        DataError: The data cannot be read.
    """
    if library_task is not None and library_task not in load_library():
        raise StudyError(
            f"the library has no task {library_task!r:.80}; it has {', '.join(load_library())}"
        )
    if isinstance(subject, str | Path) and is_file(path := Path(subject)) and is_data_file(path):
        return _of_data(path, library_task, reading or {})
    if reading:
        raise DataError(
            f"{', '.join(reading)}: only a data file has columns to be named here; a study names "
            "those of its data itself"
        )
    if isinstance(subject, Task):
        return _of_task(subject, library_task, None)
    if isinstance(subject, Study):
        return _of_folder(subject.path, library_task)
    if isinstance(subject, StudySpec):
        return _of_spec(subject, library_task)
    if isinstance(subject, Mapping):
        return _of_spec(_searching(load_spec(subject)), library_task)
    path = Path(subject)
    if is_folder(path) and is_there(path / "study.yaml"):
        return _of_folder(path, library_task)
    name = str(subject)
    if name in shipped_studies() or path.suffix in (".yaml", ".yml"):
        return _of_spec(_searching(load_spec(subject)), library_task)
    if name in DATASETS:
        return _of_task(load_task(name), library_task, DATASETS[name].topic)
    if is_file(path) or is_data_file(path):  # told what is wrong with it
        return _of_data(path, library_task, {})
    if is_folder(path) or "/" in name:
        return _of_task(load_task(subject), library_task, None)
    raise StudyError(
        f"{name!r:.200} is no study's folder, study file, data file or data set; data sets are "
        f"{', '.join(DATASETS)}, shipped studies {', '.join(shipped_studies())}"
    )


def _of_task(task: Task, library_task: str | None, topic: str | None) -> SensitivitySubject:
    known = library_task or (topic if topic in load_library() else None)
    held = _without_test(task)
    return SensitivitySubject(
        task.name,
        held,
        lambda events: load_model(DEFAULT_MODEL),
        lambda model: alternatives_of_library(known, held, scores="score" in model.capabilities),
    )


def _of_data(
    path: Path, library_task: str | None, reading: LabelledFileKeywords
) -> SensitivitySubject:
    """The study that would be proposed for the file: its columns, splits and templates.

    Templates of the library are under the labels of the file there.
    """
    from promptlab.study.proposal.proposal import propose_study

    local = _searching(load_spec(propose_study(path, task=library_task, **reading).document))
    opened = _of_spec(local, None)

    def find(model: LanguageModel) -> PromptAlternatives:
        if "score" in model.capabilities:
            return opened.find_alternatives(model)
        written = propose_study(path, task=library_task, model=_ANY_ENDPOINT, **reading).document
        groups = _searching(load_spec(written)).candidates
        found = alternatives_of_groups(groups, opened.task, scores=False)
        return found or alternatives_of_library(library_task, opened.task, scores=False)

    return replace(opened, find_alternatives=find)


def _of_spec(spec: StudySpec, library_task: str | None) -> SensitivitySubject:
    task = _without_test(_task_of(spec))

    def find(model: LanguageModel) -> PromptAlternatives:
        scores = "score" in model.capabilities
        if library_task is not None:
            return alternatives_of_library(library_task, task, scores=scores)
        found = alternatives_of_groups(spec.candidates, task, scores=scores)
        return found or alternatives_of_library(None, task, scores=scores)

    return SensitivitySubject(spec.study, task, lambda events: spec.model.load(), find)


def _of_folder(path: Path, library_task: str | None) -> SensitivitySubject:
    """A decided study: its winner, and the model in the format that it was decided with."""
    folder = StudyFolder(path)
    folder.require()
    if not folder.is_decided:
        raise StudyError(
            f"the study in {path} is not decided, so that there is no winner to start from; "
            f"`promptlab study run {path / 'study.yaml'}` goes on with it, or name that file here"
        )
    spec = _searching(load_spec(path / "study.yaml"))
    board = read_leaderboard(path)
    task = _without_test(_task_of(spec))

    def find(model: LanguageModel) -> PromptAlternatives:
        if library_task is not None:
            scores = "score" in model.capabilities
            return alternatives_of_library(library_task, task, scores=scores)
        fitted = None
        if (board.get("best") or {}).get("kind") in FITTED_KINDS:
            fitted = Study(path).best(model).settings()
        return use_document(
            lambda: alternatives_of_study(board, task, fitted), path / "leaderboard.json"
        )

    return SensitivitySubject(
        path.absolute().name,
        task,
        lambda events: load_study_model(spec.model, folder, None, events),
        find,
    )


def _task_of(spec: StudySpec) -> Task:
    return load_task(**spec.task.model_dump(exclude={"data"}), name=spec.task.data)


def _without_test(task: Task) -> Task:
    """The same without its test examples: nothing here can read them."""
    return replace(task, test=())


def _searching(spec: StudySpec | CurveSpec) -> StudySpec:
    if isinstance(spec, CurveSpec):
        raise StudyError(
            f"{spec.study!r} is a learning curve: it compares ways to learn, and has no winner; "
            "name a study that searches, or its data"
        )
    return spec
