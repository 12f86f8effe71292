"""The cells of a learning curve are fitted, predict test, and are kept, one by one."""

from __future__ import annotations

import dataclasses

from promptlab.cancellation import Cancellation
from promptlab.candidates.base import find_kind, fit_one
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
    TrialAsked,
    TrialFinished,
)
from promptlab.models.base import LanguageModel
from promptlab.predictors.base import Predictor
from promptlab.predictors.candidate import Candidate
from promptlab.study.learning_curve.cells import CellFiles, CellResult, CellState, CurveCell
from promptlab.study.spec.curve_plan import CurvePlan
from promptlab.study.spec.objective import Objective
from promptlab.study.trials.blocks import check_answered, predict_in_blocks, predict_missing
from promptlab.tuning.fit_context import FitContext


class CellFitter:
    """Fits and evaluates the cells of a learning curve, one by one.

    ``rests_on`` is the key of what the cells rest on now.
    """

    def __init__(
        self,
        plan: CurvePlan,
        objective: Objective,
        model: LanguageModel,
        files: CellFiles,
        events: Events,
        cancellation: Cancellation,
        rests_on: str,
    ) -> None:
        self.plan = plan
        self.spec = plan.spec
        self.task = plan.task
        self.objective = objective
        self.model = model
        self.files = files
        self.events = events
        self.cancellation = cancellation
        self.rests_on = rests_on

    def compute(self, cell: CurveCell) -> CellResult:
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

    def _attempted(self, cell: CurveCell, candidate: Candidate) -> CellResult:
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
        self.files.write(found, rows)
        return found

    def _basis_of(self, cell: CurveCell) -> str:
        """The key of what a cell rests on; both, when only what was missing was asked again."""
        earlier = self.files.read(cell)
        then = None if earlier is None or not earlier.complete else earlier.rests_on
        now = self.rests_on
        return now if then in (None, now) else f"{then} and {now}"

    def _repeated(self, cell: CurveCell) -> CellResult | None:
        """Without examples there is no draw: the same candidate need not be judged once a seed."""
        if cell.size or self.spec.dev_per_class is not None:
            return None
        key = self.plan.candidates[cell.method, cell.seed].key
        for seed in self.spec.seeds[: self.spec.seeds.index(cell.seed)]:
            if self.plan.candidates[cell.method, seed].key != key:
                continue
            earlier = self.files.read(dataclasses.replace(cell, seed=seed))
            if earlier is None:
                continue
            found = dataclasses.replace(
                earlier, seed=cell.seed, tokens=0, seconds=0.0, repeats=seed
            )
            self.files.write(found, self.files.predictions(earlier) if earlier.complete else None)
            return found
        return None

    def _predicted(self, cell: CurveCell, candidate: Candidate) -> Predictions:
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

        earlier = self.files.read(cell)
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

    def _fitted(self, cell: CurveCell, candidate: Candidate) -> Predictor:
        settings = self.plan.methods[cell.method].for_seed(cell.seed)
        kind = find_kind(settings.kind)(settings, self.plan.task_of(cell.size, cell.seed))
        sign = 1.0 if self.objective.maximise else -1.0
        fitting = FitContext(
            lambda rows: sign * float(self.objective.compute(rows)),
            events=self.events,
            cancellation=self.cancellation,
            folder=self.files.learner_folder(cell),
        )
        return fit_one(kind, candidate, self.model, fitting, number=cell.number)

    def _judged(self, cell: CurveCell, rows: Predictions, seconds: float) -> CellResult:
        return CellResult(
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

    def _without(
        self, cell: CurveCell, state: CellState, reason: str, started: float
    ) -> CellResult:
        seconds = self.cancellation.clock() - started
        return CellResult(cell.method, cell.size, cell.seed, state, seconds=seconds, reason=reason)


class _NeedsExamples(WorkError):
    """A method that cannot work without training examples was given none."""
