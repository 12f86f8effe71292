"""One study in one folder: checked, searched, decided. It can be killed at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from promptlab.cancellation import Cancellation
from promptlab.data.load_task import load_task
from promptlab.errors import InputError, StudyError, WorkError
from promptlab.events import Events, Phase, StudyFinished, StudyStarted, Warned
from promptlab.files.atomic import remove_leftovers
from promptlab.files.provenance import collect_inputs
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost_ledger import Ledger
from promptlab.predictors.candidate import Candidate
from promptlab.study.decision.decide import decide
from promptlab.study.decision.regression import read_suite
from promptlab.study.decision.side_work import finish_report
from promptlab.study.folder.basis import RESTS_ON, basis_of
from promptlab.study.folder.event_log import EventLog
from promptlab.study.folder.folder import StudyFolder, earlier_result
from promptlab.study.folder.pinned_model import Loader, loaded_model
from promptlab.study.folder.saved_predictions import mend_tables, tell_lost_trials
from promptlab.study.folder.storage import damage_told, storage_errors
from promptlab.study.report.report import write_report
from promptlab.study.search.completion import answer_missing
from promptlab.study.search.endpoint_cost import KEPT, EndpointCost
from promptlab.study.search.search import TrialSearch
from promptlab.study.spec.objective import make_objective
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.blocks import evaluation_order
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.exhaustive_order import plan_trials
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.ownership import belongs_to
from promptlab.study.trials.trials import open_study, trial_record

_TOO_SHORT = (
    "the time was over before the first ended; a larger budget (seconds) continues the study"
)


class StudyRun:
    """One study in one folder.

    ``run`` starts it, continues it where a killed or cancelled run stopped, or returns the result
    of a decided one. ``storage`` is any Optuna storage; the default is SQLite in the folder.
    ``model`` is a model, or loads one for the study's section of it. A study that goes on and rests
    on something else than before (weights, files, templates, software) is refused, unless its
    ``accept_changes``: then the result says which trials rest on what.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        out: Path = Path("runs"),
        storage: str | None = None,
        events: Events | None = None,
        cancellation: Cancellation | None = None,
        model: LanguageModel | Loader | None = None,
        accept_changes: bool = False,
    ) -> None:
        self.spec = spec
        self.folder = StudyFolder(out / spec.study)
        self.storage = storage or self.folder.storage_url
        self.events = events or Events()
        self.cancellation = cancellation or Cancellation()
        self._model = model
        self._accept = accept_changes
        self._inputs: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        """The leaderboard document (also in ``leaderboard.json``).

        A decided study goes on when its budget has grown, when it is to decide by other settings,
        or when examples were not answered: those are asked again. Raises `StudyError` before
        anything is written when the study cannot run, `Cancelled` when asked to stop, `WorkError`
        when no trial succeeds, `DiskError` when the disk is full.
        """
        self.task = load_task(
            **self.spec.task.model_dump(exclude={"data"}), name=self.spec.task.data
        )
        with collect_inputs(self._inputs):
            self._set_up()
        self.folder.check(self.spec, self.task)
        self._known = self.folder.fingerprints
        board = earlier_result(self.folder, self.events)
        if board is not None and not self._goes_on(board):
            remove_leftovers(self.folder.path)  # of a run that was killed when all was written
            if not self.folder.report_file.exists():  # killed between the two
                self._make_room(board)
                write_report(self.folder.path)
            return board
        self.model = loaded_model(self.spec.model, self.folder, self._model, self.events)
        with collect_inputs(self._inputs):
            self.space.check(self.model)
        self.basis = basis_of(self.model, self._inputs, accept=self._accept)
        self.examples = evaluation_order(self.task.dev, self.spec.seed)
        with (
            self.folder.open(self.spec, self.task, self.model.describe(), self.basis),
            EventLog(self.folder.path) as log,
            storage_errors(self.storage),
            self.cancellation.in_force(),
            self.events.in_force(),
        ):
            self.events.subscribe(log)
            return self._run()

    def _set_up(self) -> None:
        """Objectives, candidates and earlier failures, all that is named outside looked up."""
        key = "objectives" if self.spec.objectives else "metric of the task"
        try:
            names = self.spec.objectives or [self.task.metric]
            self.objectives = [make_objective(name) for name in names]
        except InputError as error:
            raise StudyError(f"study {self.spec.study!r}, {key}: {error}") from error
        self.space = SearchSpace(self.spec.candidates, self.task)
        if self.spec.baseline not in (None, *self.space.kinds):
            raise StudyError(
                f"study {self.spec.study!r}, baseline: there is no group {self.spec.baseline!r}; "
                f"the groups are {', '.join(self.space.kinds)}"
            )
        if self.spec.regression is not None:
            read_suite(self.spec.regression, self.task)

    def _goes_on(self, board: Mapping[str, Any]) -> bool:
        """Whether a study with a result has more to do."""
        open_ends = ("n_missing", "gaps", "unmeasured")
        return self.folder.grows(self.spec) or any(board.get(name) for name in open_ends)

    def _run(self) -> dict[str, Any]:
        started = self.cancellation.clock()
        with damage_told(self.storage):
            self.study, storage = open_study(self.spec, self.storage, self.objectives, self._known)
            self.history = TrialHistory(
                self.study,
                storage,
                self.spec,
                -(-len(self.examples) // self.spec.block),
                partial(belongs_to, self.folder, alone=self.storage == self.folder.storage_url),
            )
        records = self.basis.settle_storage(self.study.user_attrs.get(RESTS_ON), self.storage)
        self.study.set_user_attr(RESTS_ON, records)
        planned, order = plan_trials(self.spec, self.space, self.study, self.history)
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                planned,
                self.history.count,
                len(self.examples),
                self.objectives[0].maximise,
                self.objectives[0].name,
            )
        )
        for remark in (*self.basis.remarks, *self.task.warnings):
            self.events.emit(Warned(remark))
        before = float(self.study.user_attrs.get("seconds", 0.0))
        with Ledger(self.folder.ledger, self.study.user_attrs.get(KEPT)) as ledger:
            account = EndpointCost(ledger, self.model, self.events)
            self.events.subscribe(account)
            context = self._state()
            # Only what was told when the search was over: a study that was killed in its midst
            # goes on as if it had not been.
            over = self.history.count >= planned and not self._has_a_result
            again = self.folder.finished or over
            try:
                with ledger.in_force():
                    tell_lost_trials(context)
                    mend_tables(context, own_storage=self.storage == self.folder.storage_url)
                    cut = TrialSearch(context, planned, order).run()
                    if again:
                        answer_missing(context)
                    self._require_a_result()
                    board = decide(context, cut=cut)
            finally:
                account.emit_total()
                seconds = before + self.cancellation.clock() - started
                self.study.set_user_attr("seconds", seconds)
            board["seconds"] = seconds
            account.add_to(board)
        self.folder.seal(board)
        self.events.emit(Phase("report"))
        self._make_room(board)
        finish_report(self.folder, board, self.events)
        best = board["best"]["number"]
        self.events.emit(StudyFinished(self.spec.study, str(self.folder.path), best))
        return board

    @property
    def _has_a_result(self) -> bool:
        return any(trial.state == TrialState.COMPLETE for trial in self.history.finished)

    def _require_a_result(self) -> None:
        """Raise `WorkError` if no trial is complete."""
        if not self._has_a_result:
            reasons = [trial_record(trial).get("reason") for trial in self.history.finished]
            told = str(reasons[0]) if reasons else _TOO_SHORT
            raise WorkError(f"no trial was completed: {told}")

    def _make_room(self, board: dict[str, Any]) -> None:
        """Drop what the decision has made useless."""
        best = board["best"]
        if best["test"] is not None:
            key = Candidate.of(best["kind"], best["candidate"], best["name"]).key
            self.folder.drop_losers(key)

    def _state(self) -> StudyContext:
        return StudyContext(
            spec=self.spec,
            folder=self.folder,
            task=self.task,
            model=self.model,
            space=self.space,
            objectives=self.objectives,
            examples=self.examples,
            study=self.study,
            history=self.history,
            events=self.events,
            cancellation=self.cancellation,
            provenance=self.basis,
        )
