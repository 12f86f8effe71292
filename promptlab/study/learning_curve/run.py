"""A learning curve is run: every cell is fitted, predicts test, and is kept; it can be killed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind, fit_one
from promptlab.data.load_task import load_task
from promptlab.errors import (
    Cancelled,
    DiskError,
    EndpointError,
    InputError,
    NotFittedError,
    UnansweredError,
    WorkError,
)
from promptlab.evaluation.predictions import Predictions
from promptlab.events import (
    BlockScored,
    Events,
    Phase,
    StudyFinished,
    StudyStarted,
    TrialAsked,
    TrialFinished,
    Warned,
)
from promptlab.files.atomic import remove_leftovers
from promptlab.files.cache import remove
from promptlab.files.provenance import collect_inputs
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost_ledger import Ledger
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.study.decision.side_work import finish_report
from promptlab.study.folder.basis import RESTS_ON, basis_of, mixed_told
from promptlab.study.folder.event_log import EventLog
from promptlab.study.folder.folder import StudyFolder, earlier_result
from promptlab.study.folder.pinned_model import Loader, loaded_model
from promptlab.study.learning_curve.cells import Cell, CellFiles, Found, State, cells_of
from promptlab.study.learning_curve.result import curve_document, curve_table
from promptlab.study.report.report import write_report
from promptlab.study.search.endpoint_cost import EndpointCost
from promptlab.study.spec.curve_plan import CurvePlan
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.objective import make_objective
from promptlab.study.trials.blocks import check_answered, predict_in_blocks, predict_missing
from promptlab.tuning.fit_context import Fitting


class CurveRun:
    """One learning curve in one folder.

    ``run`` starts it, continues it where a killed or cancelled run stopped, or returns the result
    of a finished one. No cell is chosen, so test decides nothing. ``model`` and ``accept_changes``
    are those of `StudyRun`.
    """

    def __init__(
        self,
        spec: CurveSpec,
        *,
        out: Path = Path("runs"),
        events: Events | None = None,
        cancellation: Cancellation | None = None,
        model: LanguageModel | Loader | None = None,
        accept_changes: bool = False,
    ) -> None:
        self.spec = spec
        self.folder = StudyFolder(out / spec.study)
        self.files = CellFiles(self.folder.path, spec.slugs)
        self.events = events or Events()
        self.cancellation = cancellation or Cancellation()
        self._model = model
        self._accept = accept_changes

    def run(self) -> dict[str, Any]:
        """The result document (also in ``leaderboard.json``).

        Raises `StudyError` before anything is written when the study cannot run, `Cancelled` when
        asked to stop, `WorkError` when no cell succeeds, `DiskError` when the disk is full.
        """
        self.task = load_task(
            **self.spec.task.model_dump(exclude={"data"}), name=self.spec.task.data
        )
        try:
            self.objective = make_objective(self.task.metric)
        except InputError as error:
            raise self.spec.error(("task", "metric"), str(error)) from error
        inputs: dict[str, str] = {}
        with collect_inputs(inputs):
            self.plan = CurvePlan(self.spec, self.task)
        self.folder.check(self.spec, self.task)
        board = earlier_result(self.folder, self.events)
        open_ends = ("n_missing", "unmeasured")  # examples without an answer, or no report
        if board is not None and not any(board.get(name) for name in open_ends):
            remove_leftovers(self.folder.path)  # of a run that was killed when all was written
            if not self.folder.report_file.exists():  # killed between the two
                write_report(self.folder.path)
            return board
        self.model = loaded_model(self.spec.model, self.folder, self._model, self.events)
        with collect_inputs(inputs):
            self.plan.check(self.model)
        self.basis = basis_of(self.model, inputs, accept=self._accept)
        with (
            self.folder.open(self.spec, self.task, self.model.describe(), self.basis),
            EventLog(self.folder.path) as log,
            self.cancellation.in_force(),
            self.events.in_force(),
        ):
            self.events.subscribe(log)
            return self._run()

    def _known(self, cell: Cell) -> Found | None:
        """What an earlier run found of a cell; a damaged one is told, and computed again."""
        try:
            found = self.files.found(cell)
            if found is not None:
                task, compute = self.task, self.objective.compute
                self.files.check(found, task.test, task.labels, compute)
        except InputError as error:
            self.events.emit(Warned(f"{error}: {cell.name} is computed again"))
            self.files.drop(cell)
            return None
        return found

    def _run(self) -> dict[str, Any]:
        for remark in (*self.basis.remarks, *self.task.warnings):
            self.events.emit(Warned(remark))
        cells = cells_of(self.spec)
        known = [self._known(cell) for cell in cells]
        if self.basis.accepted:  # what was learned halfway cannot go on with other weights
            for cell in cells:
                remove(self.files.work(cell))
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                len(cells),
                sum(found is not None and not found.n_missing for found in known),
                len(self.task.test),
                maximise=self.objective.maximise,
                objective=self.objective.name,
            )
        )
        with Ledger(self.folder.ledger) as ledger, ledger.in_force():
            account = EndpointCost(ledger, self.model, self.events)
            self.events.subscribe(account)
            every = [
                self._compute(cell) if found is None or found.n_missing else found
                for cell, found in zip(cells, known, strict=True)
            ]
        if not any(found.complete for found in every):
            raise WorkError(f"no cell was completed: {every[0].reason}")
        self.events.emit(Phase("comparing"))
        document = curve_document(
            self.spec, self.task, self.model.describe(), self.plan.first_candidates, every,
            self.files,
        )  # fmt: skip
        account.add_to(document)
        document[RESTS_ON] = {"records": self.basis.records, "now": self.basis.key}
        rests_on = ({"number": n, RESTS_ON: each.rests_on} for n, each in enumerate(every))
        document["mixed"] = mixed_told(self.basis.records, rests_on).replace("trials", "cells")
        document["statements"] += [document["mixed"]] if document["mixed"] else []
        self.folder.write("leaderboard.csv", curve_table(every))
        self.folder.seal(document)
        self.events.emit(Phase("report"))
        finish_report(self.folder, document, self.events)
        self.events.emit(StudyFinished(self.spec.study, str(self.folder.path), None))
        return document

    def _compute(self, cell: Cell) -> Found:
        """Fit, predict and keep one cell; what goes wrong with it is its result."""
        self.cancellation.check()
        candidate = self.plan.candidates[cell.method, cell.seed]
        self.events.emit(TrialAsked(cell.number, candidate.kind, cell.name))
        found = self._repeated(cell) or self._attempted(cell, candidate)
        self.events.emit(
            TrialFinished(
                cell.number, cell.name, found.state, found.value, found.seconds, found.reason
            )
        )
        return found

    def _attempted(self, cell: Cell, candidate: Candidate) -> Found:
        started = self.cancellation.clock()
        rows: Predictions | None = None
        try:
            rows = self._predicted(cell, candidate)
            found = self._judged(cell, rows, self.cancellation.clock() - started)
        except (Cancelled, DiskError, EndpointError):
            raise
        except _NeedsExamples as error:
            found = self._without(cell, "needs examples", str(error), started)
        except UnansweredError as error:
            found = dataclasses.replace(
                self._without(cell, "failed", f"{type(error).__name__}: {error}", started),
                n_missing=len(self.task.test),
            )
        except Exception as error:  # whatever a learner raises is this cell's result alone
            rows = None
            found = self._without(cell, "failed", f"{type(error).__name__}: {error}", started)
        found = dataclasses.replace(found, rests_on=self._basis_of(cell))
        self.files.keep(found, rows)
        return found

    def _basis_of(self, cell: Cell) -> str:
        """The key of what a cell rests on; both, when only what was missing was asked again."""
        earlier = self.files.found(cell)
        then = None if earlier is None or not earlier.complete else earlier.rests_on
        return self.basis.key if then in (None, self.basis.key) else f"{then} and {self.basis.key}"

    def _repeated(self, cell: Cell) -> Found | None:
        """Without examples there is no draw: the same candidate need not be judged once a seed."""
        if cell.size or self.spec.dev_per_class is not None:
            return None
        key = self.plan.candidates[cell.method, cell.seed].key
        for seed in self.spec.seeds[: self.spec.seeds.index(cell.seed)]:
            if self.plan.candidates[cell.method, seed].key != key:
                continue
            earlier = self.files.found(dataclasses.replace(cell, seed=seed))
            if earlier is None:
                continue
            found = dataclasses.replace(
                earlier, seed=cell.seed, tokens=0, seconds=0.0, repeats=seed
            )
            self.files.keep(found, self.files.predictions(earlier) if earlier.complete else None)
            return found
        return None

    def _predicted(self, cell: Cell, candidate: Candidate) -> Predictions:
        try:
            fitted = self._fitted(cell, candidate)
        except InputError as error:
            if cell.size:
                raise
            raise _NeedsExamples(str(error)) from error

        def block_done(number: int, rows: Predictions) -> bool:
            if rows.answered:
                value = float(self.objective.compute(rows))
                self.events.emit(BlockScored(cell.number, len(rows), len(self.task.test), value))
            return False

        earlier = self.files.found(cell)
        kept = self.files.predictions(earlier) if earlier and earlier.complete else None
        try:
            if kept is not None:
                return predict_missing(
                    fitted, kept, self.task.test, self.spec.block, self.cancellation
                )
            rows, _ = predict_in_blocks(
                fitted, self.task.test, self.spec.block, self.cancellation, block_done
            )
        except NotFittedError as error:
            if cell.size:
                raise
            raise _NeedsExamples(str(error)) from error
        check_answered(rows)
        return rows

    def _fitted(self, cell: Cell, candidate: Candidate) -> Predictor:
        settings = self.plan.methods[cell.method].for_seed(cell.seed)
        kind = find_kind(settings.kind)(settings, self.plan.task_of(cell.size, cell.seed))
        sign = 1.0 if self.objective.maximise else -1.0
        fitting = Fitting(
            lambda rows: sign * float(self.objective.compute(rows)),
            events=self.events,
            cancellation=self.cancellation,
            folder=self.files.work(cell),
        )
        return fit_one(kind, candidate, self.model, fitting, number=cell.number)

    def _judged(self, cell: Cell, rows: Predictions, seconds: float) -> Found:
        return Found(
            cell.method,
            cell.size,
            cell.seed,
            "complete",
            n=len(rows.answered),
            n_missing=rows.n_missing,
            value=float(self.objective.compute(rows)),
            unparsed_rate=rows.unparsed_rate,
            tokens=rows.tokens,
            seconds=seconds,
        )

    def _without(self, cell: Cell, state: State, reason: str, started: float) -> Found:
        seconds = self.cancellation.clock() - started
        return Found(cell.method, cell.size, cell.seed, state, seconds=seconds, reason=reason)


class _NeedsExamples(WorkError):
    """A method that cannot work without training examples was given none."""
