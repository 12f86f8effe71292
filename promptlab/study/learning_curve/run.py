"""A learning curve is run: every cell is fitted, predicts test, and is kept; it can be killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from promptlab.data.task import Task
from promptlab.errors import (
    InputError,
    WorkError,
)
from promptlab.events import (
    Phase,
    StudyFinished,
    StudyStarted,
    Warned,
)
from promptlab.files.cache import remove
from promptlab.files.provenance import collect_inputs
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost_ledger import CostLedger
from promptlab.study.decision.optional_results import finish_report
from promptlab.study.folder.provenance import RESTS_ON, StudyProvenance, mixed_provenance_sentence
from promptlab.study.learning_curve.cell_fitter import CellFitter
from promptlab.study.learning_curve.cells import CellFiles, CellResult, CurveCell, curve_cells
from promptlab.study.learning_curve.result import curve_document, curve_table
from promptlab.study.runner import RunOptions, StudyRunner
from promptlab.study.search.endpoint_cost import EndpointCost
from promptlab.study.spec.curve_plan import CurvePlan
from promptlab.study.spec.curve_spec import CurveSpec
from promptlab.study.spec.objective import make_objective


class CurveRun(StudyRunner[CurveSpec, CurvePlan]):
    """A learning curve in one folder: every cell is fitted, predicts test, and is kept.

    ``run`` starts it, continues it where a killed or cancelled run stopped, or returns the result
    of a finished one. No cell is chosen, so test decides nothing.

    Args:
        spec: The learning curve, as `load_spec` gives it.
        options: Those of `StudyRunner`.

    Example:
        >>> import promptlab as pl
        >>> CurveRun(pl.load_spec("learning-curve"))
        CurveRun('learning-curve', folder='runs/learning-curve')
    """

    plan: CurvePlan
    """What the run does: the methods' candidates, and the task of every cell."""

    def __init__(self, spec: CurveSpec, **options: Unpack[RunOptions]) -> None:
        super().__init__(spec, **options)
        self.files = CellFiles(self.folder.path, spec.slugs)

    def _plan(self, task: Task, inputs: dict[str, str]) -> CurvePlan:
        try:
            self.objective = make_objective(task.metric)
        except InputError as error:
            raise self.spec.error(("task", "metric"), str(error)) from error
        with collect_inputs(inputs):
            self.plan = CurvePlan(self.spec, task)
        return self.plan

    def _goes_on(self, result: Mapping[str, Any]) -> bool:
        open_ends = ("n_missing", "unmeasured")  # examples without an answer, or no report
        return any(result.get(name) for name in open_ends)

    def _run(
        self, plan: CurvePlan, model: LanguageModel, basis: StudyProvenance, known: tuple[str, ...]
    ) -> dict[str, Any]:
        for remark in (*basis.remarks, *plan.task.warnings):
            self.events.emit(Warned(remark))
        cells = curve_cells(self.spec)
        found = [self._earlier(cell) for cell in cells]
        if basis.accepted:  # what was learned halfway cannot go on with other weights
            for cell in cells:
                remove(self.files.learner_folder(cell))
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                len(cells),
                sum(result is not None and not result.n_missing for result in found),
                len(plan.task.test),
                maximise=self.objective.maximise,
                objective=self.objective.name,
            )
        )
        fitter = CellFitter(
            plan, self.objective, model, self.files, self.events, self.cancellation, basis.key
        )
        with CostLedger(self.folder.ledger_file) as ledger, ledger.in_force():
            account = EndpointCost(ledger, model, self.events)
            self.events.subscribe(account)
            results = [
                fitter.compute(cell) if result is None or result.n_missing else result
                for cell, result in zip(cells, found, strict=True)
            ]
        if not any(result.complete for result in results):
            raise WorkError(f"no cell was completed: {results[0].reason}")
        self.events.emit(Phase("comparing"))
        document = self._document(results, model, basis)
        account.add_to(document)
        document["statements"] += [document["mixed"]] if document["mixed"] else []
        self.folder.write("leaderboard.csv", curve_table(results))
        self.folder.write_result(document)
        self.events.emit(Phase("report"))
        finish_report(self.folder, document, self.events)
        self.events.emit(StudyFinished(self.spec.study, str(self.folder.path), None))
        return document

    def _document(
        self, results: Sequence[CellResult], model: LanguageModel, basis: StudyProvenance
    ) -> dict[str, Any]:
        """The result document, but for what endpoints have cost."""
        first = self.plan.first_candidates
        document = curve_document(
            self.spec, self.plan.task, model.describe(), first, results, self.files
        )
        document[RESTS_ON] = {"records": basis.records, "now": basis.key}
        rests_on = ({"number": n, RESTS_ON: each.rests_on} for n, each in enumerate(results))
        document["mixed"] = mixed_provenance_sentence(basis.records, rests_on).replace(
            "trials", "cells"
        )
        return document

    def _earlier(self, cell: CurveCell) -> CellResult | None:
        """What an earlier run found of a cell; a damaged one is told, and computed again."""
        task, compute = self.plan.task, self.objective.compute
        try:
            found = self.files.read(cell)
            if found is not None:
                self.files.check(found, task.test, task.labels, compute)
        except InputError as error:
            self.events.emit(Warned(f"{error}: {cell.name} is computed again"))
            self.files.remove(cell)
            return None
        return found
