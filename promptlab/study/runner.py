"""What a search and a learning curve have in common: one study in one folder, checked and run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypedDict, TypeVar

from promptlab.cancellation import Cancellation
from promptlab.data.load_task import load_task
from promptlab.data.task import Task
from promptlab.events import Events
from promptlab.files.atomic import remove_leftovers
from promptlab.files.provenance import collect_inputs
from promptlab.models.base import LanguageModel
from promptlab.models.pool import model_options
from promptlab.study.folder.event_log import EventLog
from promptlab.study.folder.folder import StudyFolder, read_earlier_result
from promptlab.study.folder.pinned_model import Loader, load_study_model
from promptlab.study.folder.provenance import StudyProvenance, make_provenance
from promptlab.study.report.report import write_report
from promptlab.study.spec.sections import StudyFile

AnySpec = TypeVar("AnySpec", bound=StudyFile)


class RunPlan(Protocol):
    """What a study will do with its task, looked up before a model is loaded."""

    def check(self, model: LanguageModel) -> None:
        """Refuse what can never work with ``model``. Raises `StudyError`."""


AnyPlan = TypeVar("AnyPlan", bound=RunPlan)


class RunOptions(TypedDict, total=False):
    """Keyword arguments of every runner."""

    out: Path
    events: Events | None
    cancellation: Cancellation | None
    model: LanguageModel | Loader | None
    accept_changes: bool


class StudyRunner(ABC, Generic[AnySpec, AnyPlan]):
    """Runs one study in one folder; it can be killed at any moment.

    A study that goes on and rests on something else than before (weights, files, templates,
    software) is refused, unless its ``accept_changes``: then the result says what rests on what.

    Args:
        spec: The study, as `load_spec` gives it.
        out: The folder in which the study's own folder lies.
        events: Who is told what happens.
        cancellation: By which the run is asked to stop.
        model: A model in place of the study's, or what loads one for the study's section of it.
        accept_changes: Whether a study goes on that rests on something else than before.
    """

    def __init__(
        self,
        spec: AnySpec,
        *,
        out: Path = Path("runs"),
        events: Events | None = None,
        cancellation: Cancellation | None = None,
        model: LanguageModel | Loader | None = None,
        accept_changes: bool = False,
    ) -> None:
        self.spec = spec
        self.folder = StudyFolder(out / spec.study)
        self.events = events or Events()
        self.cancellation = cancellation or Cancellation()
        self._model = model
        self._accept = accept_changes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec.study!r}, folder={str(self.folder.path)!r})"

    def run(self) -> dict[str, Any]:
        """Start the study, continue it where it stopped, or give the result that it has.

        Returns:
            The result document, which is also in ``leaderboard.json``.

        Raises:
            StudyError: The study cannot run; nothing was written.
            Cancelled: It was asked to stop.
            WorkError: Nothing that was tried succeeded.
            DiskError: The disk is full.
        """
        with model_options(self.spec.model_options):
            return self._checked_run()

    def _checked_run(self) -> dict[str, Any]:
        spec, folder = self.spec, self.folder
        task = load_task(**spec.task.model_dump(exclude={"data"}), name=spec.task.data)
        inputs: dict[str, str] = {}
        plan = self._plan(task, inputs)
        folder.check(spec, task)
        known = folder.fingerprints
        result = read_earlier_result(folder, self.events)
        if result is not None and not self._goes_on(result):
            remove_leftovers(folder.path)  # of a run that was killed when all was written
            if not folder.report_file.exists():  # killed between the two
                self._drop_useless(result)
                write_report(folder.path)
            return result
        model = load_study_model(spec.model, folder, self._model, self.events)
        with self.cancellation.in_force(), self.events.in_force(), collect_inputs(inputs):
            plan.check(model)  # may read a corpus of gigabytes
        basis = make_provenance(model, inputs, accept=self._accept)
        with (
            folder.open(spec, task, model.describe(), basis),
            EventLog(folder.path) as log,
            self.cancellation.in_force(),
            self.events.in_force(),
        ):
            self.events.subscribe(log)
            return self._run(plan, model, basis, known)

    @abstractmethod
    def _plan(self, task: Task, inputs: dict[str, str]) -> AnyPlan:
        """What will be done; what it rests on outside of the study file is put into ``inputs``.

        Raises `StudyError` for what cannot be done with this task.
        """

    @abstractmethod
    def _goes_on(self, result: Mapping[str, Any]) -> bool:
        """Whether a study with a result has more to do."""

    @abstractmethod
    def _run(
        self, plan: AnyPlan, model: LanguageModel, basis: StudyProvenance, known: tuple[str, ...]
    ) -> dict[str, Any]:
        """Do it in the folder, which is held; ``known`` are fingerprints that it knew before."""

    def _drop_useless(self, result: Mapping[str, Any]) -> None:
        """Remove from the folder what the result has made useless."""
