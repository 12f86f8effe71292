"""One study in one folder: checked, searched, decided. It can be killed at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from promptlab.data.task import Task
from promptlab.errors import InputError, StudyError, WorkError
from promptlab.events import Phase, StudyFinished, StudyStarted, Warned
from promptlab.files.provenance import collect_inputs
from promptlab.models.base import LanguageModel
from promptlab.models.remote.cost_ledger import CostLedger
from promptlab.predictors.candidate import Candidate
from promptlab.study.decision.decide import decide
from promptlab.study.decision.optional_results import finish_report
from promptlab.study.decision.regression import read_regression_suite
from promptlab.study.folder.provenance import RESTS_ON, StudyProvenance
from promptlab.study.folder.saved_predictions import repair_predictions, warn_lost_trials
from promptlab.study.folder.storage import damaged_storage_errors, storage_errors
from promptlab.study.runner import RunOptions, StudyRunner
from promptlab.study.search.completion import answer_missing
from promptlab.study.search.endpoint_cost import KEPT, EndpointCost
from promptlab.study.search.search import TrialSearch
from promptlab.study.spec.objective import Objective, make_objective
from promptlab.study.spec.space import SearchSpace
from promptlab.study.spec.spec import StudySpec
from promptlab.study.trials.blocks import evaluation_order
from promptlab.study.trials.context import StudyContext
from promptlab.study.trials.exhaustive_order import ExhaustiveOrder, plan_trials
from promptlab.study.trials.history import TrialHistory
from promptlab.study.trials.ownership import belongs_to
from promptlab.study.trials.sequential_pruner import check_sequential_pruner
from promptlab.study.trials.trials import open_study, trial_record

_TOO_SHORT = (
    "the time was over before the first ended; a larger budget (seconds) continues the study"
)


@dataclass(frozen=True)
class SearchPlan:
    """What a search will do: its objectives, and its candidates read off the task."""

    task: Task
    objectives: Sequence[Objective]
    space: SearchSpace

    def check(self, model: LanguageModel) -> None:
        """Refuse candidates that can never work with ``model``. Raises `StudyError`."""
        self.space.check(model)


class StudyRun(StudyRunner[StudySpec, SearchPlan]):
    """A search in one folder: candidates are asked for, fitted, evaluated on dev, and decided.

    ``run`` starts it, continues it where a killed or cancelled run stopped, or returns the result
    of a decided one. A decided study goes on when its budget has grown, when it is to decide by
    other settings, or when examples were not answered: those are asked again.

    Args:
        spec: The study, as `load_spec` gives it.
        storage: Any Optuna storage (a database URL, ``journal:FILE``, ``grpc://HOST:PORT``); by
            default SQLite in the folder.
        options: Those of `StudyRunner`.

    Example:
        >>> import promptlab as pl
        >>> StudyRun(pl.load_spec("quickstart"))
        StudyRun('quickstart', folder='runs/quickstart')
    """

    context: StudyContext
    """What the run has worked with, from the moment at which its folder is open."""

    def __init__(
        self, spec: StudySpec, *, storage: str | None = None, **options: Unpack[RunOptions]
    ) -> None:
        super().__init__(spec, **options)
        self.storage = storage or self.folder.storage_url

    def _plan(self, task: Task, inputs: dict[str, str]) -> SearchPlan:
        """Objectives, candidates and earlier failures, all that is named outside looked up."""
        spec = self.spec
        key = "objectives" if spec.objectives else "metric of the task"
        with collect_inputs(inputs):
            try:
                objectives = [make_objective(name) for name in spec.objectives or [task.metric]]
            except InputError as error:
                raise StudyError(f"study {spec.study!r}, {key}: {error}") from error
            if spec.pruner_signal != "objective" and spec.pruner != "sequential":
                raise StudyError(
                    f"study {spec.study!r}, pruner_signal: only pruner: sequential compares by "
                    f"{spec.pruner_signal}, and it is {spec.pruner}"
                )
            if spec.pruner == "sequential" and len(objectives) == 1:
                check_sequential_pruner(objectives[0])
            space = SearchSpace(spec.candidates, task)
            if spec.baseline not in (None, *space.kinds):
                raise StudyError(
                    f"study {spec.study!r}, baseline: there is no group {spec.baseline!r}; "
                    f"the groups are {', '.join(space.kinds)}"
                )
            if spec.regression is not None:
                read_regression_suite(spec.regression, task)
        return SearchPlan(task, objectives, space)

    def _goes_on(self, result: Mapping[str, Any]) -> bool:
        open_ends = ("n_missing", "gaps", "unmeasured")
        return self.folder.grows(self.spec) or any(result.get(name) for name in open_ends)

    def _run(
        self, plan: SearchPlan, model: LanguageModel, basis: StudyProvenance, known: tuple[str, ...]
    ) -> dict[str, Any]:
        with storage_errors(self.storage):
            started = self.cancellation.clock()
            self.context = context = self._open_storage(plan, model, basis, known)
            study, history = context.study, context.history
            planned, order = plan_trials(self.spec, plan.space, study, history)
            self._announce(context, planned)
            before = float(study.user_attrs.get("seconds", 0.0))
            with CostLedger(self.folder.ledger_file, study.user_attrs.get(KEPT)) as ledger:
                account = EndpointCost(ledger, model, self.events)
                self.events.subscribe(account)
                try:
                    with ledger.in_force():
                        board = self._search(context, planned, order)
                finally:
                    account.emit_total()
                    seconds = before + self.cancellation.clock() - started
                    study.set_user_attr("seconds", seconds)
                board["seconds"] = seconds
                account.add_to(board)
            self._finish(board)
        return board

    def _open_storage(
        self, plan: SearchPlan, model: LanguageModel, basis: StudyProvenance, known: tuple[str, ...]
    ) -> StudyContext:
        """The study in its storage, new or taken up again, with all that running it needs."""
        examples = evaluation_order(plan.task.dev, self.spec.seed)
        with damaged_storage_errors(self.storage):
            study, storage = open_study(self.spec, self.storage, plan.objectives, known)
            history = TrialHistory(
                study,
                storage,
                self.spec,
                -(-len(examples) // self.spec.block),
                partial(belongs_to, self.folder, alone=self._owns_storage),
            )
        records = basis.settle_storage(study.user_attrs.get(RESTS_ON), self.storage)
        study.set_user_attr(RESTS_ON, records)
        return StudyContext(
            spec=self.spec,
            folder=self.folder,
            task=plan.task,
            model=model,
            space=plan.space,
            objectives=plan.objectives,
            examples=examples,
            study=study,
            history=history,
            events=self.events,
            cancellation=self.cancellation,
            provenance=basis,
        )

    @property
    def _owns_storage(self) -> bool:
        """Whether the storage is that of the folder, and nobody else's."""
        return self.storage == self.folder.storage_url

    def _announce(self, context: StudyContext, planned: int) -> None:
        """Tell that the study starts, and what is to be known of its task and of what changed."""
        objective = context.objectives[0]
        self.events.emit(
            StudyStarted(
                self.spec.study,
                str(self.folder.path),
                planned,
                context.history.count,
                len(context.examples),
                objective.maximise,
                objective.name,
            )
        )
        remarks = [*context.provenance.remarks, *context.task.warnings]
        remarks += [
            told for kind in context.space.kinds.values() for told in kind.announce(planned)
        ]
        if self.spec.pruner != "none" and len(context.objectives) > 1:
            remarks.append(
                f"pruner: {self.spec.pruner} gives nobody up, as the study has several objectives"
            )
        for remark in remarks:
            self.events.emit(Warned(remark))

    def _search(
        self, context: StudyContext, planned: int, order: ExhaustiveOrder | None
    ) -> dict[str, Any]:
        """Spend the budget and decide. Raises `WorkError` if no trial is complete."""
        history = context.history
        # Only what was told when the search was over: a study that was killed in its midst
        # goes on as if it had not been.
        over = history.count >= planned and not history.has_complete
        again = self.folder.is_decided or over
        warn_lost_trials(context.folder, context.history, context.events)
        repair_predictions(context, own_storage=self._owns_storage)
        cut = TrialSearch(context, planned, order).run()
        if again:
            answer_missing(context)
        if not history.has_complete:
            reasons = [trial_record(trial).get("reason") for trial in history.finished]
            reason = str(reasons[0]) if reasons else _TOO_SHORT
            raise WorkError(f"no trial was completed: {reason}")
        return decide(context, cut=cut)

    def _finish(self, board: dict[str, Any]) -> None:
        """Write the result and the report."""
        self.folder.write_result(board)
        self.events.emit(Phase("report"))
        self._drop_useless(board)
        finish_report(self.folder, board, self.events)
        best = board["best"]["number"]
        self.events.emit(StudyFinished(self.spec.study, str(self.folder.path), best))

    def _drop_useless(self, result: Mapping[str, Any]) -> None:
        """Remove large predictors of candidates that have lost."""
        best = result["best"]
        if best["test"] is not None:
            key = Candidate.of(best["kind"], best["candidate"], best["name"]).key
            self.folder.remove_losers(key)
